"""How the figures went over time, from rollups alone: one point a bucket, oldest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, func, select

from store import histogram
from store.database import translating
from store.prices import NANO
from store.rollup import MEASURE_COLUMNS, Counts, Measures
from store.schema import SERIES_KEY, rollups, series
from store.series import Labels
from store.stats import Rates, rates
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
    """Reads rollups. Raises DatabaseAway."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, window: Window, now: int) -> TimelineReport:
        """The points of the window that ends now (Unix seconds)."""
        with translating(self._engine), self._engine.connect() as connection:
            since, width = _extent(connection, window, now)
            points = [_point(at, measured) for at, measured in _buckets(connection, width, since)]
        return TimelineReport(window, since, now, width, points)


def _extent(connection: Connection, window: Window, now: int) -> tuple[int, int]:
    """Where a window begins, and how wide its buckets are."""
    if window != "all":
        seconds, width = _WIDTHS[window]
        return bucket_start(width, now - seconds), width
    first = connection.scalar(select(func.min(rollups.c.bucket)).where(rollups.c.level == LADDER[-1]))
    since = now if first is None else int(first)
    width = next((width for width in LADDER if (now - since) / width <= _MOST_POINTS), LADDER[-1])
    return bucket_start(width, since), width


def _buckets(
    connection: Connection, width: int, since: int
) -> list[tuple[int, list[tuple[Labels, Measures]]]]:
    """The measures by bucket; within one they are added up over series that are drawn as one."""
    names = select(series.c.id, *(series.c[name] for name in SERIES_KEY))
    labels = {row[0]: Labels(*row[1:]) for row in connection.execute(names)}
    buckets: dict[int, dict[tuple[str, bool, bool], tuple[Labels, Measures]]] = {}
    query = select(rollups.c.bucket, rollups.c.series, *MEASURE_COLUMNS).where(
        rollups.c.level == width, rollups.c.bucket >= since
    )
    for row in connection.execute(query):
        own = labels[row[1]]
        kinds = buckets.setdefault(row[0], {})
        kinds.setdefault((own.route_name, own.routable, own.replaced), (own, Measures()))[1].merge_row(row, 2)
    return [(at, list(buckets[at].values())) for at in sorted(buckets)]


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
