"""`/metrics` for Prometheus: totals from the store, so that every worker tells the same, and the journal's lag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from proxy.breaker import BREAKER_STATES
from proxy.control.readings import Readings
from store.errors import DatabaseError
from store.prices import NANO
from store.totals import BOUNDS_S, CumulativeHistogram, SeriesTotal

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_LABELS: Final = ("endpoint", "route", "target", "model", "task", "understudy", "rule", "key")
_TOKEN_KINDS: Final = ("input", "cached_input", "cache_write", "output", "reasoning")
_HISTOGRAMS: Final = (
    ("latency", "understudy_latency_seconds", "Duration of calls."),
    (
        "first_byte",
        "understudy_first_byte_seconds",
        "Time until the first byte of the answer reached the agent.",
    ),
    ("overhead", "understudy_overhead_seconds", "What the proxy added to calls."),
)

_ENGINE_GAUGES: Final[Sequence[tuple[Callable[[Mapping[str, Any]], float | None], str, str]]] = (
    (lambda told: told["in_flight"], "understudy_engine_in_flight", "Requests of this proxy at the server."),
    (
        lambda told: BREAKER_STATES.index(told["breaker"]),
        "understudy_engine_breaker",
        "0 while it is asked, 1 while one call tries it, 2 while it is left alone.",
    ),
    (lambda told: told.get("running"), "understudy_engine_running", "Requests that it is answering."),
    (lambda told: told.get("waiting"), "understudy_engine_waiting", "Requests in its queue."),
    (lambda told: told.get("cache_use"), "understudy_engine_cache_use", "Share of its KV cache in use."),
)


def render(readings: Readings) -> bytes:
    """The page, with the store's part left out (and `understudy_database_up` 0) while the database is away."""
    registry = CollectorRegistry()
    registry.register(_Totals(readings))
    return generate_latest(registry)


class _Totals(Collector):
    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        try:
            totals = self._readings.totals()
        except DatabaseError:
            totals = []
            yield GaugeMetricFamily("understudy_database_up", "Whether the database answers.", 0)
        else:
            yield GaugeMetricFamily("understudy_database_up", "Whether the database answers.", 1)
            yield from _counters(totals)
            yield from (_histogram(totals, *each) for each in _HISTOGRAMS)
        yield from _gauges(self._readings)


def _counters(totals: Sequence[SeriesTotal]) -> Iterator[Metric]:
    for field, name, text in (
        ("calls", "understudy_calls", "Calls, however they ended."),
        ("errors", "understudy_errors", "Calls that ended in an error."),
        ("unpriced", "understudy_unpriced_calls", "Calls whose model has no price."),
    ):
        family = CounterMetricFamily(name, text, labels=_LABELS)
        for total in totals:
            family.add_metric(_labels(total), getattr(total, field))
        yield family
    tokens = CounterMetricFamily("understudy_tokens", "Tokens by kind.", labels=(*_LABELS, "kind"))
    cost = CounterMetricFamily("understudy_cost_dollars", "What calls cost.", labels=_LABELS)
    avoided = CounterMetricFamily(
        "understudy_cost_avoided_dollars", "What replaced calls did not cost.", labels=_LABELS
    )
    fallbacks = CounterMetricFamily(
        "understudy_fallbacks", "Understudies that did not answer, by cause.", labels=(*_LABELS, "cause")
    )
    for total in totals:
        labels = _labels(total)
        cost.add_metric(labels, total.cost / NANO)
        avoided.add_metric(labels, total.cost_avoided / NANO)
        for kind in _TOKEN_KINDS:
            tokens.add_metric((*labels, kind), getattr(total, kind))
        for cause, count in total.fallbacks.items():
            fallbacks.add_metric((*labels, cause), count)
    yield from (tokens, cost, avoided, fallbacks)


def _histogram(totals: Sequence[SeriesTotal], field: str, name: str, text: str) -> Metric:
    family = HistogramMetricFamily(name, text, labels=_LABELS)
    for total in totals:
        counted: CumulativeHistogram = getattr(total, field)
        buckets = [(str(bound), float(count)) for bound, count in zip(BOUNDS_S, counted.counts, strict=True)]
        buckets.append(("+Inf", float(counted.count)))
        family.add_metric(_labels(total), buckets, counted.sum_seconds)
    return family


def _gauges(readings: Readings) -> Iterator[Metric]:
    lag: dict[str, Any] = readings.lag()
    yield GaugeMetricFamily(
        "understudy_journal_bytes", "Journal bytes that wait for the database.", lag["bytes"]
    )
    yield GaugeMetricFamily(
        "understudy_journal_oldest_seconds",
        "Age of the oldest record that waits.",
        lag["oldest_seconds"] or 0,
    )
    yield CounterMetricFamily("understudy_records_lost", "Records that no disk would take.", lag["lost"])
    yield CounterMetricFamily(
        "understudy_records_quarantined", "Records the database refused.", lag["quarantined"]
    )
    yield GaugeMetricFamily("understudy_workers", "Worker processes.", len(readings.workers()))
    states = GaugeMetricFamily("understudy_deployed", "Understudies by state.", labels=("state",))
    for state, count in readings.learned()["deployments"].items():
        states.add_metric((state,), count)
    yield states
    yield from _engines(readings.engines())


def _engines(engines: Mapping[str, Any]) -> Iterator[Metric]:
    """The servers of small models; of those that tell nothing of their load only what is known here."""
    for read, name, text in _ENGINE_GAUGES:
        family = GaugeMetricFamily(name, text, labels=("engine", "url"))
        for engine, told in engines.items():
            for server in told["servers"]:
                value = read(server | (server["load"] or {}))
                if value is not None:
                    family.add_metric((engine, server["url"]), value)
        yield family


def _labels(total: SeriesTotal) -> tuple[str, ...]:
    return tuple(getattr(total, name) for name in _LABELS)
