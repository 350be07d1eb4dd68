"""What a task's answers are: their kind, and their closed set where there is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from router.gate.scorers.by_kind import Kind
from router.gate.scorers.json_values import parse
from router.gate.scorers.labels import normal_label
from wire.answer import Answer

LABEL: Final = 60
"""Characters of the longest label."""

SENTENCE: Final = 300
"""Characters of the longest answer that can be a member of a closed set, such as one of a few standing sentences."""

_WORDS: Final = 8
_SENTENCES: Final = 16
_SENTENCE_COUNT: Final = 5
"""A closed set that holds whole sentences has two to so many members, each given so often: free text repeats itself
too, where requests do."""
_ENOUGH: Final = 4
"""Answers below which nothing is said about a closed set."""

_UNSEEN: Final = 0.1
"""Share of answers that may have been given once: it estimates how often an answer will be new (Good-Turing)."""

_MOST: Final = 0.9
"""Share of the answers that must be of a kind for a task to be of it, tool calls and text apart."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The answers of a task."""

    kind: Kind
    answers: tuple[str, ...] = ()
    """The closed set, the most frequent first, as `closed_answer` writes them; empty when the answers are open."""


def profile(answers: Sequence[Answer]) -> Profile:
    """Kind and closed set of answers."""
    kinds = Counter(kind_of(answer) for answer in answers)
    if not kinds:
        return Profile("text")
    closed = _closed_set(answers)
    if kinds["tool_call"] > len(answers) / 2:
        return Profile("tool_call", closed)
    if kinds["json"] >= _MOST * len(answers):
        return Profile("json", closed)
    return Profile("label" if closed else "text", closed)


def kind_of(answer: Answer) -> Kind:
    """The kind of one answer by itself: a JSON object or array counts as JSON, every other text as text."""
    if answer.tool_calls:
        return "tool_call"
    return "json" if isinstance(parse(answer.text), dict | list) else "text"


def closed_answer(answer: Answer) -> str | None:
    """An answer as a member of a closed set; None where it cannot be one.

    A text stands as the model wrote it, without spaces around it; JSON compact with its keys sorted; a call of one
    tool without arguments as `name()`. Whether there is such a set only many answers tell."""
    if answer.tool_calls:
        call = answer.tool_calls[0]
        bare = len(answer.tool_calls) == 1 and parse(call.arguments or "{}") == {}
        return f"{call.name}()" if bare else None
    said = answer.text.strip()
    value = parse(said)
    if isinstance(value, dict | list):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return said if said and len(said) <= SENTENCE else None


def is_choice(answer: Answer) -> bool:
    """Whether an answer by itself looks like one of a few: a label, or a call of a tool without arguments."""
    closed = closed_answer(answer)
    if closed is None or answer.tool_calls:
        return closed is not None
    return _is_short(closed)


def _is_short(said: str) -> bool:
    return len(said) <= LABEL and "\n" not in said and len(said.split()) <= _WORDS


def _closed_set(answers: Sequence[Answer]) -> tuple[str, ...]:
    """The closed set that answers come from; empty where it is open, or too few were seen."""
    if len(answers) < _ENOUGH:
        return ()
    written: dict[str, Counter[str]] = {}
    for answer in answers:
        closed = closed_answer(answer)
        if closed is not None:
            written.setdefault(normal_label(closed), Counter())[closed] += 1
    counts = {label: forms.total() for label, forms in written.items()}
    new = sum(count == 1 for count in counts.values()) + len(answers) - sum(counts.values())
    if new > _UNSEEN * len(answers):
        return ()
    ranked = sorted(counts, key=lambda label: (-counts[label], label))
    recurring = [label for label in ranked if counts[label] > 1]
    members = tuple(written[label].most_common(1)[0][0] for label in recurring)
    if any(map(_is_sentence, members)) and not (
        1 < len(members) <= _SENTENCES and counts[recurring[-1]] >= _SENTENCE_COUNT
    ):
        return ()
    return members


def _is_sentence(said: str) -> bool:
    return not _is_short(said) and not isinstance(parse(said), dict | list)
