"""Conditions on a call, compiled from the plain values of a rule's `when`.

A condition is a key, what the owner expects of it, and a test. A rule's conditions are tested cheapest first, so that
a rule about the model never pays for reading the system prompt.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from router.patterns import Pattern, PatternError, pattern
from router.read import Reading

_COSTS: Final = {
    "endpoint": 0,
    "key": 0,
    "tokens": 0,
    "model": 1,
    "stream": 1,
    "response_format": 2,
    "task": 3,
    "tools": 4,
    "system": 5,
    "user": 6,
    "images": 7,
}
"""The plain keys of `when`, each a member of Reading, with what reading it costs: a rank, not a time."""

KEYS: Final = tuple(_COSTS)
"""The plain keys of `when`; `header.NAME` and `metadata.NAME` come beside them."""

_PREFIXES: Final = ("header.", "metadata.")
_COMPARISONS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "": operator.eq,
}
_TOKENS: Final = re.compile(r"\s*(<=|>=|<|>|=|)\s*(\d{1,12})\s*")
_RANGE: Final = re.compile(r"\s*(\d{1,12})\s*\.\.\s*(\d{1,12})\s*")


Test = tuple[Callable[[Reading], Any], Callable[[Any], bool]]
"""What to read of a call, and whether what was read is as expected."""


class WhenError(PatternError):
    """A condition that cannot be compiled; `key` names it, `index` its place in a list of alternatives."""

    def __init__(self, key: str, message: str, remedy: str = "", *, index: int | None = None) -> None:
        super().__init__(message, remedy)
        self.key = key
        self.index = index

    @property
    def unknown_key(self) -> bool:
        """Whether the key itself is the mistake, not its value."""
        return not known(self.key)


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of `when` and what it must be."""

    key: str
    expected: str
    """As the owner wrote it."""
    cost: int
    read: Callable[[Reading], Any]
    test: Callable[[Any], bool]
    """Whether what was read is as expected."""

    def found(self, reading: Reading) -> str:
        """What the call has there, for people."""
        return _written(self.read(reading))


@dataclass(frozen=True, slots=True)
class When:
    """Conditions that must all hold, cheapest first; none at all holds for every call."""

    conditions: tuple[Condition, ...] = ()

    @property
    def tests(self) -> tuple[Test, ...]:
        """The conditions as the router runs them."""
        return tuple((one.read, one.test) for one in self.conditions)

    def matches(self, reading: Reading) -> bool:
        """Whether all conditions hold."""
        return self.failing(reading) is None

    def failing(self, reading: Reading) -> Condition | None:
        """The first condition that does not hold."""
        return next((one for one in self.conditions if not one.test(one.read(reading))), None)


def when(values: Mapping[str, object]) -> When:
    """Compile the plain values of a rule's `when`; raises WhenError for the first that is wrong."""
    return When(tuple(sorted((condition(*item) for item in values.items()), key=lambda made: made.cost)))


def known(key: str) -> bool:
    """Whether `when` knows the key."""
    return key in KEYS or any(key.startswith(prefix) and len(key) > len(prefix) for prefix in _PREFIXES)


def condition(key: str, value: object) -> Condition:
    """Compile one condition; raises WhenError."""
    if not known(key):
        raise WhenError(key, "is not a key of when", _nearest(key))
    return Condition(key, _written(value), _COSTS.get(key, 1), _reader(key), _test(key, value))


def _nearest(key: str) -> str:
    close = get_close_matches(key, [*KEYS, "header", "metadata"], n=1)
    if not close or key in ("header", "metadata"):
        return f"the keys are {', '.join(KEYS)}, header.NAME and metadata.NAME"
    return f"did you mean {close[0]!r}?"


def _reader(key: str) -> Callable[[Reading], Any]:
    kind, _, name = key.partition(".")
    match kind:
        case "header":
            header = name.lower()
            return lambda reading: reading.header(header)
        case "metadata":
            return lambda reading: reading.metadata(name)
        case _:
            return operator.attrgetter(key)


def _test(key: str, value: object) -> Callable[[Any], bool]:
    match key:
        case "stream" | "images":
            return _flag(key, value)
        case "tokens":
            return _tokens(value)
        case "tools":
            test = _any_of(_patterns(key, value))
            return lambda names: any(map(test, names))
        case _:
            return _any_of(_patterns(key, value))


def _flag(key: str, value: object) -> Callable[[bool], bool]:
    if not isinstance(value, bool):
        raise WhenError(key, "is neither true nor false", "write true or false without quotes")
    return lambda found: found is value


def _tokens(value: object) -> Callable[[int], bool]:
    test = _token_test(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if test is None:
        remedy = "write it like '<4000', '>=100' or '100..4000'"
        raise WhenError("tokens", "is not a number of tokens", remedy)
    return test


def _token_test(written: str) -> Callable[[int], bool] | None:
    if found := _TOKENS.fullmatch(written):
        compare, limit = _COMPARISONS[found[1]], int(found[2])
        return lambda tokens: compare(tokens, limit)
    if found := _RANGE.fullmatch(written):
        low, high = int(found[1]), int(found[2])
        return (lambda tokens: low <= tokens <= high) if low <= high else None
    return None


def _patterns(key: str, value: object) -> tuple[Pattern, ...]:
    """The alternatives that a value lists; a single text is a list of one."""
    if isinstance(value, str):
        return (_pattern(key, value, None),)
    if not isinstance(value, Sequence) or isinstance(value, bytes) or not value:
        raise WhenError(key, "is not a pattern", "write a glob, a /regex/, or a list of them")
    return tuple(_pattern(key, alternative, index) for index, alternative in enumerate(value))


def _pattern(key: str, source: object, index: int | None) -> Pattern:
    if not isinstance(source, str):
        raise WhenError(key, "is not a pattern", "put it into quotes", index=index)
    try:
        return pattern(source)
    except PatternError as error:
        raise WhenError(key, error.message, error.remedy, index=index) from None


def _any_of(patterns: Sequence[Pattern]) -> Callable[[str], bool]:
    tests = tuple(alternative.matches for alternative in patterns)
    if len(tests) == 1:
        return tests[0]
    return lambda text: any(test(text) for test in tests)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(_written, value))
    return str(value)
