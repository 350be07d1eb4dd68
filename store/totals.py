"""Running totals for Prometheus: since ever, so that counters only rise, and the same whichever process answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine

from store import histogram
from store.database import translating
from store.record import Endpoint, Route
from store.rollup import COUNTERS, Measures
from store.series import Labels
from store.stats import read_measures
from store.window import cover

BOUNDS_S: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
)
"""Upper bounds of the histogram buckets in seconds."""


@dataclass(frozen=True, slots=True)
class CumulativeHistogram:
    """Counts up to each bound of BOUNDS_S; a value within 4% of a bound may count on either side of it."""

    counts: Sequence[int]
    count: int
    sum_seconds: float


@dataclass(frozen=True, slots=True)
class SeriesTotal:
    """The totals of one set of labels. Money is nano-dollars."""

    endpoint: Endpoint
    route: Route
    target: str
    model: str
    served_model: str
    task: str
    understudy: str
    rule: str
    key: str
    calls: int
    errors: int
    unpriced: int
    input: int
    cached_input: int
    cache_write: int
    output: int
    reasoning: int
    cost: int
    cost_avoided: int
    fallbacks: Mapping[str, int]
    latency: CumulativeHistogram
    first_byte: CumulativeHistogram
    overhead: CumulativeHistogram


class Totals:
    """Reads one rollup row for each set of labels. Raises DatabaseAway."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self) -> list[SeriesTotal]:
        """The totals of everything that was ever recorded; retention does not lower them."""
        with translating(self._engine), self._engine.connect() as connection:
            measured = read_measures(connection, cover("all", 0))
        return [_total(labels, measures) for labels, measures in sorted(measured, key=lambda pair: pair[0])]


def _total(labels: Labels, measures: Measures) -> SeriesTotal:
    texts: dict[str, Any] = labels._asdict() | {"endpoint": labels.endpoint_name, "route": labels.route_name}
    sums: dict[str, Any] = {name: measures[name] for name in COUNTERS if name != "list_cost"}
    return SeriesTotal(
        **texts,
        **sums,
        cost_avoided=measures["list_cost"] - measures["cost"] if labels.replaced else 0,
        fallbacks=measures.fallbacks,
        latency=_cumulative(measures.latency),
        first_byte=_cumulative(measures.first_byte),
        overhead=_cumulative(measures.overhead),
    )


def _cumulative(counted: Mapping[int, int]) -> CumulativeHistogram:
    counts = [0] * len(BOUNDS_S)
    total, summed = 0, 0.0
    for index, number in counted.items():
        seconds = histogram.middle(index) / 1_000_000
        total += number
        summed += number * seconds
        for position, bound in enumerate(BOUNDS_S):
            if seconds <= bound:
                counts[position] += number
    return CumulativeHistogram(tuple(counts), total, summed)
