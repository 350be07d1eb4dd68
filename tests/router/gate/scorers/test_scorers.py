from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.gate.scorers.by_kind import Kind, scorer_for
from router.gate.scorers.free_text import TextScorer, TokenF1
from router.gate.scorers.json_values import JsonScorer
from router.gate.scorers.labels import LabelScorer, normal_label
from router.gate.scorers.tool_calls import ToolCallScorer, schemas_of
from wire.answer import Answer, ToolCall

REFUND = {
    "type": "object",
    "properties": {
        "order": {"type": "string"},
        "notify": {"type": "boolean", "default": True},
        "items": {"items": {"properties": {"count": {"default": 1}}}},
    },
}
REQUEST = {"tools": [{"type": "function", "function": {"name": "refund", "parameters": REFUND}}]}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def calling(*calls: tuple[str, Any]) -> Answer:
    return Answer(
        tool_calls=tuple(
            ToolCall(name, said if isinstance(said, str) else json.dumps(said)) for name, said in calls
        )
    )


@pytest.mark.parametrize(
    ("llm", "understudy", "agrees"),
    [
        ("refund", " Refund.\n", True),
        ("refund", '"refund"', True),
        ("refund", "**refund**", True),
        ("order  status", "Order Status", True),
        ("Straße", "STRASSE", True),
        ("refund", "refunds", False),
        ("refund", "", False),
        ("", "", False),
        ("C++", "C", False),
        ("-1", "1", False),
        ("?", "!", False),
        ("yes", "no", False),
    ],
)
def test_labels(llm: str, understudy: str, agrees: bool) -> None:
    score = LabelScorer().score(Answer(llm), Answer(understudy))
    assert (score.agrees, score.value) == (agrees, float(agrees))


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normal_label(normal_label(text)) == normal_label(text)


@pytest.mark.parametrize(
    ("llm", "understudy", "value"),
    [
        ('{"a": 1, "b": "x"}', '{"b":"x","a":1.0}', 1.0),
        ('{"a": 1}', '```json\n{"a": 1}\n```', 1.0),
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 0.5),
        ('{"a": 1}', '{"a": 1, "b": 2}', 2 / 3),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', 0.0),
        ('{"a": true}', '{"a": 1}', 0.0),
        ('{"a": {}}', '{"a": []}', 0.0),
        ('{"a": {"0": 1}}', '{"a": [1]}', 0.0),
        ("{}", "{}", 1.0),
        ("{}", "not json", 0.0),
        ("not json", "not json", 0.0),
        ("[" * 500 + "]" * 500, "[" * 500 + "]" * 500, 0.0),
    ],
)
def test_json(llm: str, understudy: str, value: float) -> None:
    score = JsonScorer().score(Answer(llm), Answer(understudy))
    assert score.value == pytest.approx(value)
    assert score.agrees is (value == 1)


def test_json_may_ask_for_less_than_every_field() -> None:
    pair = Answer('{"a": 1, "b": 2, "c": 3}'), Answer('{"a": 1, "b": 2, "c": 4}')
    assert JsonScorer(at_least=0.6).score(*pair).agrees
    assert JsonScorer().score(*pair).why == "1 of 3 fields differ, 0 are added"


@given(json_values, json_values)
def test_json_scores_are_symmetric_shares(one: Any, other: Any) -> None:
    left, right = Answer(json.dumps(one)), Answer(json.dumps(other))
    there, back = JsonScorer().score(left, right), JsonScorer().score(right, left)
    assert there.value == back.value
    assert 0 <= there.value <= 1
    assert JsonScorer().score(left, left).agrees


@pytest.mark.parametrize(
    ("llm", "understudy", "agrees"),
    [
        (calling(("refund", {"order": "A1"})), calling(("refund", {"order": "A1", "notify": True})), True),
        (calling(("refund", {"order": "A1"})), calling(("refund", {"order": "A1", "notify": False})), False),
        (calling(("refund", {"order": "A1"})), calling(("refund", {"order": "A2"})), False),
        (calling(("refund", {"items": [{}]})), calling(("refund", {"items": [{"count": 1.0}]})), True),
        (calling(("refund", {"a": 1, "b": 2})), calling(("refund", {"b": 2.0, "a": 1})), True),
        (calling(("refund", {"a": True})), calling(("refund", {"a": 1})), False),
        (calling(("refund", "")), calling(("refund", {})), True),
        (calling(("shell", "ls")), calling(("shell", "ls")), True),
        (calling(("shell", "ls")), calling(("shell", "rm")), False),
        (calling(("shell", "\ud83d")), calling(("shell", "\ud83d")), True),
        (calling(("a", {"x": 1}), ("a", {"x": 2})), calling(("a", {"x": 2}), ("a", {"x": 1})), True),
        (calling(("a", {}), ("a", {})), calling(("a", {})), False),
        (calling(("a", {})), calling(("b", {})), False),
        (calling(("a", {})), Answer("done"), False),
        (Answer("done"), calling(("a", {})), False),
        (Answer("done"), Answer("Done"), True),
        (Answer("done"), Answer("sorry, I cannot"), False),
    ],
)
def test_tool_calls(llm: Answer, understudy: Answer, agrees: bool) -> None:
    score = ToolCallScorer(schemas_of(REQUEST)).score(llm, understudy)
    assert score.agrees is agrees
    assert (score.value == 1) is agrees


@pytest.mark.parametrize(
    ("llm", "understudy", "agrees"),
    [
        ("Your refund is on its way.", "your  refund is on its way.", True),
        ("Your refund is on its way.", "Your refund is on its way!", True),
        ("Your refund is on its way.", "We cannot help you.", False),
        ("...", "...", True),
        ("...", "!!!", False),
    ],
)
def test_free_text(llm: str, understudy: str, agrees: bool) -> None:
    assert TextScorer().score(Answer(llm), Answer(understudy)).agrees is agrees


def test_token_f1_counts_words() -> None:
    assert TokenF1().similarity("a b c", "a b d") == pytest.approx(2 / 3)


class Lengths:
    """A likeness of our own: texts of the same length are alike."""

    name = "length"

    def similarity(self, one: str, other: str) -> float:
        return 7.0 if len(one) == len(other) else -1.0


def test_another_likeness_fits_the_seam_and_is_kept_within_0_and_1() -> None:
    scorer = scorer_for("text", {}, Lengths())
    assert scorer.score(Answer("abc"), Answer("xyz")).value == 1
    assert scorer.score(Answer("abc"), Answer("x")).value == 0


@pytest.mark.parametrize("kind", ["label", "json", "tool_call", "text"])
def test_a_call_is_compared_as_a_call_whatever_the_kind(kind: Kind) -> None:
    scorer = scorer_for(kind, REQUEST)
    assert scorer.score(calling(("refund", {})), calling(("refund", {"notify": True}))).agrees
    assert not scorer.score(calling(("refund", {})), Answer("refund")).agrees
    assert not scorer.score(Answer("1"), Answer(refusal="no")).agrees


def test_content_scorers_never_take_calls_for_agreement() -> None:
    pair = calling(("a", {})), calling(("b", {}))
    for scorer in (LabelScorer(), JsonScorer(), TextScorer()):
        assert not scorer.score(*pair).agrees


@given(st.text(), st.text(), st.sampled_from(["label", "json", "tool_call", "text"]))
def test_nothing_that_is_said_raises(one: str, other: str, kind: Kind) -> None:
    scorer = scorer_for(kind, REQUEST)
    scorer.score(Answer(one), Answer(other))
    scorer.score(calling(("refund", one)), calling(("refund", other)))
