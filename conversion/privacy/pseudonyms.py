"""Pseudonyms: marks that stand for values, the same for the same value within one data set."""

from __future__ import annotations

import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import Final

from conversion.privacy.recogniser import Found, Kind, Recogniser, apart

DIGIT, UPPER, LOWER = "①", "Ⓐ", "ⓐ"
"""What a shape has in place of a digit, a capital and any other letter."""

MARK: Final = re.compile(
    r"⟪(?P<kind>[a-z]+)·(?P<digest>[0-9a-f]{16})·(?P<shape>[^⟪⟫·]{1,256})(?P<number>·n)?⟫"
)
"""A pseudonym in a text; `·n` where a JSON number stood."""

_LONGEST: Final = 200
_REMEMBERED: Final = 4096
_SHORT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A value that was replaced."""

    kind: Kind
    digest: str
    value: str


class Pseudonyms:
    """Replaces values by marks; `seen` is told of each."""

    def __init__(
        self, key: bytes, recognisers: Sequence[Recogniser], seen: Callable[[Seen], None] = lambda seen: None
    ) -> None:
        self._key = key
        self._recognisers = tuple(recognisers)
        self._seen = seen
        self._known: OrderedDict[str, list[Found]] = OrderedDict()

    def replace(self, text: str, more: Recogniser | None = None, first: int | None = None) -> str:
        """The text with a mark for each value found; `more` finds what belongs to one example.

        `first` is how many of the recognisers are asked, all by default."""
        return self._marked(text, self._found(text, more, first), number=False)

    def replace_number(self, literal: str, more: Recogniser | None = None) -> str:
        """A mark for a JSON number that is a value from end to end; else the literal as it is."""
        found = self._found(literal, more, None)
        if len(found) == 1 and (found[0].start, found[0].end) == (0, len(literal)):
            return self._marked(literal, found, number=True)
        return literal

    def _found(self, text: str, more: Recogniser | None, first: int | None) -> list[Found]:
        if len(text) < 5:
            return [] if more is None else apart(more.find(text))
        found = self._recognised(text, self._recognisers[:first])
        return found if more is None else apart(chain(found, more.find(text)))

    def _recognised(self, text: str, recognisers: Sequence[Recogniser]) -> list[Found]:
        """Messages come again with every call of a conversation, so what was found is remembered for a while."""
        remember = len(recognisers) == len(self._recognisers) and len(text) < _SHORT
        if remember and text in self._known:
            self._known.move_to_end(text)
            return self._known[text]
        found = apart(chain.from_iterable(each.find(text) for each in recognisers))
        if remember:
            self._known[text] = found
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found

    def _marked(self, text: str, findings: Sequence[Found], *, number: bool) -> str:
        if not findings:
            return text
        pieces, position = [], 0
        for found in findings:
            pieces += [
                text[position : found.start],
                self._mark(text[found.start : found.end], found, number=number),
            ]
            position = found.end
        return "".join([*pieces, text[position:]])

    def _mark(self, value: str, found: Found, *, number: bool) -> str:
        message = f"{found.kind}\0{same(found.kind, value)}".encode("utf-8", "surrogatepass")
        digest = hmac.new(self._key, message, sha256).hexdigest()[:16]
        self._seen(Seen(found.kind, digest, value))
        shape = shape_of(value[:_LONGEST], found.keep)
        return f"⟪{found.kind}·{digest}·{shape}{'·n' if number else ''}⟫"


def same(kind: Kind, value: str) -> str:
    """A value as it is compared: its case, and spacing and punctuation within numbers, do not tell it from another."""
    match kind:
        case "card" | "phone" | "iban" | "number":
            return "".join(character for character in value if character.isalnum()).upper().removeprefix("00")
        case "email" | "person" | "place" | "ip":
            return " ".join(value.casefold().split())
        case _:
            return value


def shape_of(value: str, keep: int = 0) -> str:
    """What a value looks like: digits, capitals and small letters by their kind, all else as it is."""
    return value[:keep] + "".join(map(_class, value[keep:]))


def _class(character: str) -> str:
    if character.isdigit():
        return DIGIT
    if character.isalpha():
        return UPPER if character.isupper() else LOWER
    return "." if character in "⟪⟫·" or not character.isprintable() else character
