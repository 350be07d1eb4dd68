"""Time windows as a bounded number of rollup buckets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

Window = Literal["1h", "24h", "7d", "30d", "all"]

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400
EVER: Final = 0
LADDER: Final = (MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 5 * DAY)
"""Widths of rollup buckets in seconds; each divides the next."""
LEVELS: Final = (*LADDER, EVER)
"""`ever` is one bucket for all time. All levels are written with every batch, so the last bucket of each is up to now."""

_SECONDS: Final[dict[Window, int]] = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
_FINEST: Final[dict[Window, int]] = {"1h": MINUTE, "24h": HOUR, "7d": HOUR, "30d": DAY}


@dataclass(frozen=True, slots=True)
class Span:
    """Buckets of one level: those that begin from `since` on and before `until`, in Unix seconds."""

    level: int
    since: int
    until: int | None = None
    """None takes all up to now."""


def bucket_start(level: int, seconds: int) -> int:
    """The start of the bucket that holds a moment."""
    return seconds - seconds % level if level else 0


def cover(window: Window, now: int) -> list[Span]:
    """The buckets that make up a window, oldest first; about fifteen a series at most.

    A window begins on a border of its finest level (1h a minute, 24h and 7d an hour, 30d a day) and climbs to wider
    buckets at their borders, as a traveller takes a lane, then a road, then a motorway.
    """
    if window == "all":
        return [Span(EVER, 0)]
    finest = _FINEST[window]
    start = bucket_start(finest, now - _SECONDS[window])
    spans: list[Span] = []
    for level, wider in pairwise(LADDER[LADDER.index(finest) :]):
        border = bucket_start(wider, start + wider - 1)
        if border > now:
            return [*spans, Span(level, start)]
        if border > start:
            spans.append(Span(level, start, border))
        start = border
    return [*spans, Span(LADDER[-1], start)]
