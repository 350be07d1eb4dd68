"""How the figures went over time, from rollups alone: one point a bucket, oldest first.

Most of a window stands still from one look to the next. Every call that comes to a bucket raises its count, so a bucket
that still counts what it counted is not read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, func, select

from store import histogram
from store.contents import chunks
from store.database import translating
from store.prices import NANO
from store.rollup import MEASURE_COLUMNS, Counts, Measures
from store.schema import rollups
from store.series import Labels
from store.stats import Rates, rates, series_labels
from store.window import DAY, HOUR, LADDER, MINUTE, Window, bucket_start

_WIDTHS: Final[Mapping[Window, tuple[int, int]]] = {
    "1h": (HOUR, MINUTE),
    "24h": (DAY, 10 * MINUTE),
    "7d": (7 * DAY, HOUR),
    "30d": (30 * DAY, 6 * HOUR),
}
"""Seconds of a window, and of each of its points."""
_MOST_POINTS: Final = 200
"""Of the window `all`: the narrowest buckets are taken that need no more points."""
_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Point:
    """The figures of one bucket. Times are milliseconds, money dollars."""

    at: int
    """Unix second at which the bucket begins."""
    calls: int
    routable: int
    replaced: int
    errors: int
    fallbacks: int
    replacement_rate: Rates
    cost: float
    cost_avoided: float
    latency_ms: Mapping[str, Mapping[str, float]]
    """p50 and p95 by route."""


@dataclass(frozen=True, slots=True)
class TimelineReport:
    """The points of a window; buckets without calls have none."""

    window: Window
    since: int
    until: int
    width: int
    """Seconds of a bucket."""
    points: Sequence[Point]


class Timeline:
    """Reads rollups, and remembers what it made of them; may be used from any thread. Raises DatabaseAway."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._points: dict[tuple[int, int], Point] = {}
        """By width and beginning."""

    def read(self, window: Window, now: int) -> TimelineReport:
        """The points of the window that ends now (Unix seconds)."""
        with translating(self._engine), self._engine.connect() as connection:
            since, width = _extent(connection, window, now)
            counts = _counts(connection, width, since)
            known = {at: self._points.get((width, at)) for at in counts}
            points = {at: point for at, point in known.items() if point and point.calls == counts[at]}
            changed = [at for at in counts if at not in points]
            fresh = {
                at: _point(at, measured) for at, measured in _buckets(connection, width, changed).items()
            }
        self._remember(width, fresh)
        points |= fresh
        return TimelineReport(window, since, now, width, [points[at] for at in sorted(points)])

    def _remember(self, width: int, fresh: Mapping[int, Point]) -> None:
        if len(self._points) + len(fresh) > _REMEMBERED:
            self._points.clear()
        self._points.update({(width, at): point for at, point in fresh.items()})


def _extent(connection: Connection, window: Window, now: int) -> tuple[int, int]:
    """Where a window begins, and how wide its buckets are."""
    if window != "all":
        seconds, width = _WIDTHS[window]
        return bucket_start(width, now - seconds), width
    first = connection.scalar(select(func.min(rollups.c.bucket)).where(rollups.c.level == LADDER[-1]))
    since = now if first is None else int(first)
    width = next((width for width in LADDER if (now - since) / width <= _MOST_POINTS), LADDER[-1])
    return bucket_start(width, since), width


def _counts(connection: Connection, width: int, since: int) -> dict[int, int]:
    """How many calls each bucket holds."""
    query = (
        select(rollups.c.bucket, func.sum(rollups.c.calls))
        .where(rollups.c.level == width, rollups.c.bucket >= since)
        .group_by(rollups.c.bucket)
    )
    return {at: int(calls) for at, calls in connection.execute(query)}


def _buckets(
    connection: Connection, width: int, wanted: Sequence[int]
) -> dict[int, list[tuple[Labels, Measures]]]:
    """The measures by bucket; within one they are added up over series that are drawn as one."""
    if not wanted:
        return {}
    labels = series_labels(connection)
    buckets: dict[int, dict[tuple[str, bool, bool], tuple[Labels, Measures]]] = {}
    query = select(rollups.c.bucket, rollups.c.series, *MEASURE_COLUMNS).where(rollups.c.level == width)
    for chunk in chunks(wanted):
        for row in connection.execute(query.where(rollups.c.bucket.in_(chunk))):
            own = labels[row[1]]
            kinds = buckets.setdefault(row[0], {})
            kind = own.route_name, own.routable, own.replaced
            kinds.setdefault(kind, (own, Measures()))[1].merge_row(row, 2)
    return {at: list(kinds.values()) for at, kinds in buckets.items()}


def _point(at: int, measured: Sequence[tuple[Labels, Measures]]) -> Point:
    everything, routable, replaced = Counts(), Counts(), Counts()
    by_route: dict[str, Measures] = {}
    for labels, measures in measured:
        everything.add(measures)
        by_route.setdefault(labels.route_name, Measures()).merge(measures)
        if labels.routable:
            routable.add(measures)
        if labels.replaced:
            replaced.add(measures)
    return Point(
        at=at,
        calls=everything["calls"],
        routable=routable["calls"],
        replaced=replaced["calls"],
        errors=everything["errors"],
        fallbacks=sum(sum(measures.fallbacks.values()) for measures in by_route.values()),
        replacement_rate=rates(replaced, routable),
        cost=everything["cost"] / NANO,
        cost_avoided=(replaced["list_cost"] - replaced["cost"]) / NANO,
        latency_ms={
            route: histogram.percentiles(sums.latency, (50, 95)) for route, sums in sorted(by_route.items())
        },
    )
