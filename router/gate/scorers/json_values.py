"""JSON: values compared as JSON means them: objects by key, arrays in order, numbers by their value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from router.gate.scorers.score import Score, unspoken
from wire.answer import Answer

_NO_JSON: Final = object()
Leaf = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class JsonScorer:
    """Agrees when the share of fields in common (F1) is at least `at_least`; 1 asks for every field.

    Whether an answer keeps its schema is checked before (`wire.check`); what is no JSON disagrees."""

    at_least: float = 1.0

    def score(self, llm: Answer, understudy: Answer) -> Score:
        """Compare the answers' text as JSON."""
        if (different := unspoken(llm, understudy)) is not None:
            return different
        expected, given = parse(llm.text), parse(understudy.text)
        if expected is _NO_JSON:
            return Score(False, 0.0, "the LLM's answer is no JSON")
        if given is _NO_JSON:
            return Score(False, 0.0, "the understudy's answer is no JSON")
        value = field_f1(expected, given)
        return Score(value >= self.at_least, value, _why(expected, given, value))


def parse(text: str) -> Any:
    """The JSON of an answer, a Markdown fence around it taken off; a private mark, equal to nothing, when it is none."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```"):
        stripped = stripped[3:-3].removeprefix("json").strip()
    try:
        value = orjson.loads(stripped)
        orjson.dumps(
            value
        )  # refuses more than 254 levels, which would overflow the stack of what walks over them
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return _NO_JSON
    return value


def field_f1(expected: Any, given: Any) -> float:
    """Harmonic mean of precision and recall over leaves: a leaf is a path with its value."""
    left, right = dict(leaves(expected)), dict(leaves(given))
    common = sum(path in right and same(value, right[path]) for path, value in left.items())
    return 2 * common / (len(left) + len(right))


def leaves(value: Any, path: Leaf = ()) -> Iterator[tuple[Leaf, Any]]:
    """Paths of scalars and of empty containers."""
    if isinstance(value, Mapping) and value:
        for key, member in value.items():
            yield from leaves(member, (*path, key))
    elif isinstance(value, list) and value:
        for index, member in enumerate(value):
            yield from leaves(member, (*path, index))
    else:
        yield path, value


def same(one: Any, other: Any) -> bool:
    """Whether two scalars are the same JSON value: 1 is 1.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _why(expected: Any, given: Any, value: float) -> str:
    if value == 1:
        return "every field is the same"
    left, right = dict(leaves(expected)), dict(leaves(given))
    differing = sum(path not in right or not same(each, right[path]) for path, each in left.items())
    return f"{differing} of {len(left)} fields differ, {len(right.keys() - left.keys())} are added"
