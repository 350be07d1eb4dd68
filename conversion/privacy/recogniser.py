"""The seam for recognisers: where in a text something stands that concerns a person."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["secret", "email", "iban", "card", "ip", "phone", "person", "place", "identifier", "number"]
"""What a value is; decides what its surrogate looks like."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value in a text."""

    start: int
    end: int
    kind: Kind
    keep: int = 0
    """Characters at its beginning that say what it is and nothing more, such as `sk-` of an API key."""


class Recogniser(Protocol):
    """Finds values; the same text gives the same findings."""

    def find(self, text: str) -> Iterable[Found]: ...


def apart(findings: Iterable[Found]) -> list[Found]:
    """Findings without overlaps, in order of place; of two that overlap, the one that was given first stays."""
    taken: list[Found] = []
    for found in findings:
        place = bisect_left(taken, found.start, key=_start)
        if place and taken[place - 1].end > found.start:
            continue
        if place < len(taken) and taken[place].start < found.end:
            continue
        taken.insert(place, found)
    return taken


def _start(found: Found) -> int:
    return found.start
