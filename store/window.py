"""Time windows as a bounded number of rollup buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Window = Literal["1h", "24h", "7d", "30d", "all"]

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400
EVER: Final = 0
LEVELS: Final = (MINUTE, HOUR, DAY, EVER)
"""Widths of rollup buckets in seconds; `ever` is one bucket for all time. All are written with every batch."""

_SECONDS: Final[dict[Window, int]] = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
_FINEST: Final[dict[Window, int]] = {"1h": MINUTE, "24h": HOUR, "7d": HOUR, "30d": DAY}


@dataclass(frozen=True, slots=True)
class Span:
    """Buckets of one level: those that begin from `since` on and before `until`, in Unix seconds."""

    level: int
    since: int
    until: int | None = None


def bucket_start(level: int, seconds: int) -> int:
    """The start of the bucket that holds a moment."""
    return seconds - seconds % level if level else 0


def cover(window: Window, now: int) -> list[Span]:
    """The buckets that make up a window, oldest first.

    A window begins on a border of its finest level, so that its last bucket is whole: 1h counts by minutes, 24h by
    hours, 7d by the hours of its first day and then by days, 30d by days. At most 61 buckets a series.
    """
    if window == "all":
        return [Span(EVER, 0)]
    finest = _FINEST[window]
    since = bucket_start(finest, now - _SECONDS[window])
    if window != "7d":
        return [Span(finest, since)]
    midnight = bucket_start(DAY, since + DAY - 1)
    return [Span(HOUR, since, midnight), Span(DAY, midnight)]
