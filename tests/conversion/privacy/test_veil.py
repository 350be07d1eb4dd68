"""From values to pseudonyms to surrogates: consistent, of the same shape, and without breaking what programs read."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion.example import Example
from conversion.privacy.built_in import BuiltIn
from conversion.privacy.checksums import iban_check, iban_valid, luhn_digit, luhn_valid
from conversion.privacy.pseudonyms import MARK, Pseudonyms, Seen
from conversion.privacy.recogniser import Found, Kind
from conversion.privacy.surrogates import Surrogates
from conversion.privacy.veil import recognisers, unveiled, veiled
from wire.answer import Answer, ToolCall

_KEY = b"k" * 32
_VALUES: dict[str, tuple[Kind, str]] = {
    "card": ("card", "4111 1111 1111 1111"),
    "iban": ("iban", "DE89 3704 0044 0532 0130 00"),
    "email": ("email", "Ana.Lopez7@example.org"),
    "phone": ("phone", "+49 30 901820"),
    "ip": ("ip", "203.0.113.77"),
    "secret": ("secret", "sk-abcdefghijklmnop1234"),
}


def _example(user: str, answer: Answer | str, system: str = "You help.", **request: Any) -> Example:
    said = Answer(answer, finish_reason="stop") if isinstance(answer, str) else answer
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    body = {"model": "gpt-4o", "messages": messages} | request
    return Example("id", "s", 1, "chat.completions", body, said)


def _both(example: Example) -> tuple[Example, Example]:
    hidden = veiled(example, Pseudonyms(_KEY, recognisers()))
    return hidden, unveiled(hidden, Surrogates("0"))


def _user(example: Example) -> str:
    said: str = example.request["messages"][1]["content"]
    return said


@pytest.mark.parametrize("name", _VALUES)
def test_a_value_has_one_pseudonym_everywhere_and_a_surrogate_of_its_kind(name: str) -> None:
    kind, value = _VALUES[name]
    tool = ToolCall("save", json.dumps({"value": value, "note": f"said {value}"}))
    hidden, shown = _both(
        _example(f"It is {value}, thanks.", Answer(f"Noted: {value}.", (tool,), "tool_calls"))
    )
    digests = {match["digest"] for match in MARK.finditer(str(hidden))}
    assert len(digests) == 1
    assert value not in str(hidden)
    assert value not in str(shown)
    surrogate = json.loads(shown.answer.tool_calls[0].arguments)["value"]
    assert surrogate in _user(shown)
    assert surrogate in shown.answer.text
    assert [found.kind for found in BuiltIn().find(surrogate)][:1] == [kind]


def test_surrogates_keep_their_checks() -> None:
    _, shown = _both(_example("4111-1111-1111-1111 and GB82 WEST 1234 5698 7654 32 from 203.0.113.77", "ok"))
    card, _, iban, _, address = re.split(r" (and|from) ", _user(shown))
    assert luhn_valid(card.replace("-", ""))
    assert card.count("-") == 3
    assert iban_valid(iban.replace(" ", ""))
    assert ipaddress.ip_address(address).version == 4


def test_spelling_does_not_make_two_of_one_value() -> None:
    _, shown = _both(_example("4111 1111 1111 1111, Ana@Example.org", "4111111111111111 ana@example.org"))
    card, email = _user(shown).split(", ")
    assert shown.answer.text.split() == [card.replace(" ", ""), email]


def test_numbers_in_json_stay_numbers() -> None:
    tool = ToolCall("pay", '{"card": 4111111111111111, "amount": 12.5, "order_id": "ORD-493022", "n": 3}')
    hidden, shown = _both(
        _example("Pay order 493022 with 4111111111111111", Answer("", (tool,), "tool_calls"))
    )
    assert isinstance(json.loads(hidden.answer.tool_calls[0].arguments), dict)
    arguments = json.loads(shown.answer.tool_calls[0].arguments)
    assert luhn_valid(str(arguments["card"]))
    assert (arguments["amount"], arguments["n"]) == (12.5, 3)
    order = arguments["order_id"].removeprefix("ORD-")
    assert order != "493022"
    assert f"order {order} with {arguments['card']}" in _user(shown)


def test_names_that_an_answer_copies_are_replaced_on_both_sides() -> None:
    answer = '{"customer_name": "Ana Lopez", "product": "blue mug"}'
    hidden, shown = _both(_example("I am Ana Lopez. My blue mug broke. Yours, Ana", answer))
    assert "Lopez" not in str(hidden)
    fields = json.loads(shown.answer.text)
    assert fields["product"] == "blue mug"
    first, last = fields["customer_name"].split()
    assert _user(shown) == f"I am {first} {last}. My blue mug broke. Yours, {first}"


def test_what_ties_calls_to_results_and_names_tools_stays() -> None:
    tools = [{"type": "function", "function": {"name": "find", "parameters": {"email": "a@example.org"}}}]
    call = {"id": "call_4111111111111111", "type": "function",
            "function": {"name": "find", "arguments": '{"email": "a@example.org"}'}}  # fmt: skip
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {
            "role": "tool",
            "tool_call_id": "call_4111111111111111",
            "content": '{"email":"a@example.org","n":1}',
        },
    ]
    _, shown = _both(_example("", "done", messages=messages, tools=tools))
    assert shown.request["tools"] == tools
    assistant, result = shown.request["messages"]
    assert assistant["tool_calls"][0]["id"] == result["tool_call_id"] == "call_4111111111111111"
    asked = json.loads(assistant["tool_calls"][0]["function"]["arguments"])
    assert json.loads(result["content"]) == {"email": asked["email"], "n": 1}
    assert asked["email"] != "a@example.org"


def test_values_that_are_kept_come_back_as_they_were() -> None:
    seen: list[Seen] = []
    hidden = veiled(_example("Write to shop@example.org", "ok"), Pseudonyms(_KEY, recognisers(), seen.append))
    shown = unveiled(hidden, Surrogates("0", {seen[0].digest: seen[0].value}))
    assert _user(shown) == "Write to shop@example.org"


def test_another_key_gives_other_pseudonyms() -> None:
    example = _example("a@example.org", "ok")
    one, other = (veiled(example, Pseudonyms(key, recognisers())) for key in (_KEY, b"x" * 32))
    assert _user(one) != _user(other)


class _Names:
    """A recogniser that knows one name, as presidio would."""

    def find(self, text: str) -> list[Found]:
        return [Found(match.start(), match.end(), "person") for match in re.finditer("Berlin Ana", text)]


def test_further_recognisers_leave_instructions_as_recognition_knows_them() -> None:
    example = _example("Berlin Ana", "ok", system="You work for Berlin Ana.")
    hidden = veiled(example, Pseudonyms(_KEY, recognisers([_Names()])))
    assert hidden.request["messages"][0]["content"] == "You work for Berlin Ana."
    assert MARK.fullmatch(_user(hidden))


_LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | (
    st.text(max_size=30) | st.sampled_from([value for _, value in _VALUES.values()])
)  # fmt: skip
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


@given(st.dictionaries(st.text(max_size=8), _JSON, max_size=5), st.text(max_size=60), st.booleans())
def test_json_keeps_its_structure(value: dict[str, Any], user: str, spaced: bool) -> None:
    text = json.dumps(value, ensure_ascii=spaced, separators=None if spaced else (",", ":"))
    tool = ToolCall("save", text)
    for changed in _both(_example(user, Answer(text, (tool,), "tool_calls"))):
        assert _outline(json.loads(changed.answer.text)) == _outline(value)
        assert changed.answer.tool_calls[0].name == "save"


@given(st.text(max_size=200))
def test_texts_without_findings_are_the_same_afterwards(text: str) -> None:
    findings = list(BuiltIn().find(text))
    _, shown = _both(_example(text, "ok"))
    if not findings and "⟪" not in text:
        assert _user(shown) == text


@given(st.text("0123456789", min_size=12, max_size=18))
def test_check_digits_of_cards(body: str) -> None:
    assert luhn_valid(body + luhn_digit(body))
    wrong = str((int(luhn_digit(body)) + 1) % 10)
    assert not luhn_valid(body + wrong)


@given(st.text("0123456789", min_size=11, max_size=30))
def test_check_digits_of_ibans(account: str) -> None:
    assert iban_valid(f"DE{iban_check('DE', account)}{account}")


@given(st.text(max_size=300))
def test_recognisers_take_any_text(text: str) -> None:
    for found in BuiltIn().find(text):
        assert 0 <= found.start < found.end <= len(text)


def _outline(value: Any) -> Any:
    """Keys, lengths and types; a marked number may stand as a text until it is a number again."""
    if isinstance(value, dict):
        return {key: _outline(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_outline(member) for member in value]
    return "text or number" if isinstance(value, str | int | float) and not isinstance(value, bool) else value
