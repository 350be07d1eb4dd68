"""Patterns over text, compiled once: a glob (`gpt-4o*`) or a regular expression (`/refund|return/i`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wire.expression import BadExpression, OutOfTime, searcher

_REGEX: Final = re.compile(r"/(.+)/([A-Za-z]*)", re.DOTALL)
_FLAGS: Final = "imsx"


class PatternError(ValueError):
    """A pattern that cannot be compiled. `message` says why, `remedy` what would be right."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Pattern:
    """One compiled pattern."""

    source: str
    """As it was written."""
    matches: Callable[[str], bool]


def pattern(source: str) -> Pattern:
    """Compile a glob, or a regular expression between slashes; raises PatternError.

    Globs are case-sensitive and match the whole text, line breaks included: `*` is any text, `?` any one character.
    A regular expression matches anywhere in the text; its flags are i, m, s and x. One that takes longer than
    `wire.expression.LIMIT` over a text does not match it."""
    found = _REGEX.fullmatch(source)
    return Pattern(source, _regex(found[1], found[2]) if found else _glob(source))


def _regex(expression: str, letters: str) -> Callable[[str], bool]:
    for letter in letters:
        if letter not in _FLAGS:
            raise PatternError(
                f"has the unknown flag {letter!r}", "the flags are i, m, s and x; for a glob start with *"
            )
    try:
        found = searcher(expression, flags=letters)
    except BadExpression as error:
        raise PatternError(
            f"is not a regular expression: {error}", "escape what is meant literally with a backslash"
        ) from None

    def matches(text: str) -> bool:
        try:
            return found(text)
        except OutOfTime:
            return False

    return matches


def _glob(source: str) -> Callable[[str], bool]:
    literal = source.rstrip("*")
    if "*" in literal or "?" in literal:
        fullmatch = re.compile(_glob_expression(source), re.DOTALL).fullmatch
        return lambda text: fullmatch(text) is not None
    if literal == source:
        return source.__eq__
    return lambda text: text.startswith(literal)


def _glob_expression(source: str) -> str:
    """The glob as a regular expression whose time grows with text times glob, never exponentially.

    Each piece between stars is found at its first place and never sought again (atomic groups); only the last one,
    which must stand at the end, is sought from there."""
    first, *others = (_piece(piece) for piece in re.split(r"\*+", source))
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>.*?{piece})" for piece in middle) + ".*" + last


def _piece(piece: str) -> str:
    return "".join("." if character == "?" else re.escape(character) for character in piece)
