"""Kinds of answers and their closed sets."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from conversion.cluster.answers import closed_answer, is_choice, profile
from router.gate.scorers.by_kind import Kind
from wire.answer import Answer, ToolCall


def bare(name: str) -> Answer:
    return Answer(tool_calls=(ToolCall(name, "{}"),))


FULL = Answer(tool_calls=(ToolCall("find", '{"id": 1}'),))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(" Billing "), "Billing"),
        (Answer('{"b": 1, "a": true}'), '{"a":true,"b":1}'),
        (bare("stop"), "stop()"),
        (Answer(tool_calls=(ToolCall("stop", ""),)), "stop()"),
        (FULL, None),
        (Answer(tool_calls=(ToolCall("a", "{}"), ToolCall("b", "{}"))), None),
        (Answer("one\ntwo"), "one\ntwo"),
        (Answer("x" * 301), None),
        (Answer(""), None),
    ],
)
def test_closed_answers(answer: Answer, expected: str | None) -> None:
    assert closed_answer(answer) == expected


@pytest.mark.parametrize(
    ("answers", "kind", "closed"),
    [
        ([], "text", ()),
        ([Answer("yes")] * 3, "text", ()),
        ([Answer("yes")] * 7 + [Answer("No")] * 5, "label", ("yes", "No")),
        ([Answer("Yes")] * 7 + [Answer("yes.")] * 5, "label", ("Yes",)),
        ([Answer(f"word {letter}") for letter in "abcdefghij"], "text", ()),
        ([Answer("yes")] * 30 + [Answer("unheard of")], "label", ("yes",)),
        ([bare("stop")] * 5 + [bare("go")] * 6, "tool_call", ("go()", "stop()")),
        ([FULL] * 9, "tool_call", ()),
        ([Answer('{"ok": true}')] * 9, "json", ('{"ok":true}',)),
        ([Answer(f'{{"n": {n}}}') for n in range(9)], "json", ()),
        ([FULL] * 4 + [Answer("let me see, this may take me some while, so please wait")] * 6, "text", ()),
    ],
)
def test_profiles(answers: Sequence[Answer], kind: Kind, closed: tuple[str, ...]) -> None:
    found = profile(answers)
    assert (found.kind, found.answers) == (kind, closed)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer("refund"), True),
        (bare("stop"), True),
        (FULL, False),
        (Answer("one\ntwo"), False),
        (Answer("a sentence that is quite a bit longer than any label would be, is it not"), False),
        (Answer(""), False),
    ],
)
def test_choices_are_short(answer: Answer, expected: bool) -> None:
    assert is_choice(answer) is expected


def test_standing_sentences_are_a_closed_set() -> None:
    sentences = [
        f"The {what} has been arranged, and you will hear from us soon." for what in ("refund", "exchange")
    ]
    assert profile([Answer(each) for each in sentences * 20]).answers == tuple(sorted(sentences))
