"""Values that an answer copies from its prompt: to paraphrase them would teach the model wrong, so they are replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from conversion.privacy.recogniser import Found
from wire.answer import Answer

_NUMBER: Final = re.compile(r"(?<![\d.,$€£⟪·])\d{5,30}(?!\d|[.,]\d)")
"""Identifiers and not quantities: long, without decimals, and no amount of money, which may be computed with."""

_PERSON_KEY: Final = re.compile(
    r"(?:^|_)(?:(?:customer|client|contact|person|recipient|sender|user|guest|patient|passenger|full|first|last|given"
    r"|family|middle|maiden)_?names?|surname)$",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Copied:
    """Finds what one answer copies: identifiers by their digits, names by their words."""

    numbers: frozenset[str]
    words: frozenset[str]

    def find(self, text: str) -> Iterable[Found]:
        """Each place where one of them stands."""
        if self.words:
            for match in _WORD.finditer(text):
                if match[0] in self.words:
                    yield Found(match.start(), match.end(), "person")
        if self.numbers:
            for match in _NUMBER.finditer(text):
                if match[0] in self.numbers:
                    yield Found(match.start(), match.end(), "number")

    @property
    def nothing(self) -> bool:
        return not (self.numbers or self.words)


def copied(said: str, answer: Answer) -> Copied:
    """What the answer takes from what was said (by user and tools; what the instructions name is vocabulary)."""
    written = [answer.text, *(call.arguments for call in answer.tool_calls)]
    numbers = {number for text in written for number in _NUMBER.findall(text)}
    if numbers:
        numbers &= set(_NUMBER.findall(said))
    words = {word for text in written for word in _names(text)}
    if words:
        words &= set(_WORD.findall(said))
    return Copied(frozenset(numbers), frozenset(words))


def _names(text: str) -> Iterator[str]:
    """Words of names of people, in an answer that is JSON and says which they are."""
    if not text.lstrip().startswith(("{", "[")):
        return
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    for name in _under_person_keys(value, named=False):
        yield from _WORD.findall(name)


def _under_person_keys(value: Any, *, named: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield from _under_person_keys(member, named=bool(_PERSON_KEY.search(key)))
    elif isinstance(value, list):
        for member in value:
            yield from _under_person_keys(member, named=named)
    elif named and isinstance(value, str):
        yield value
