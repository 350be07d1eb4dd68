"""What /stats says, from rollups alone: its cost depends on the window and the labels, never on the number of calls."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, func, or_, select

from store import histogram
from store.database import translating
from store.prices import NANO
from store.rollup import COUNTERS, MEASURE_COLUMNS, Counts, Measures
from store.schema import SERIES_KEY, rollups, series
from store.series import Labels
from store.window import Span, Window, cover

GroupBy = Literal["task", "model", "understudy", "rule", "key", "route"]
GROUPS: Final = get_args(GroupBy)
WINDOWS: Final = get_args(Window)

_LABEL: Final[Mapping[GroupBy, Callable[[Labels], str]]] = {
    "task": lambda labels: labels.task,
    "model": lambda labels: labels.model,
    "understudy": lambda labels: labels.understudy,
    "rule": lambda labels: labels.rule,
    "key": lambda labels: labels.key,
    "route": lambda labels: labels.route_name,
}


@dataclass(frozen=True, slots=True)
class Rates:
    """Replaced ÷ routable; None where nothing was routable, or nothing of it has a price."""

    calls: float | None
    tokens: float | None
    """Input and output tokens."""
    dollars: float | None
    """At the price of the models that were asked for."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Disjoint buckets, but for reasoning, which is part of output."""

    input: int
    cached_input: int
    cache_write: int
    output: int
    reasoning: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of a window, or of one group in it. Times are milliseconds, money dollars."""

    calls: int
    routable: int
    replaced: int
    replacement_rate: Rates
    fallbacks: Mapping[str, int]
    """By cause."""
    errors: int
    latency_ms: Mapping[str, Mapping[str, float]]
    """p50, p95 and p99 by route."""
    first_byte_ms: Mapping[str, Mapping[str, float]]
    overhead_ms: Mapping[str, float]
    """p50 and p99 of what the proxy added."""
    tokens: Tokens
    cost: float
    cost_avoided: float
    unpriced: int
    """Calls whose model has no price: they count nothing in the money figures."""


@dataclass(frozen=True, slots=True)
class Group(Figures):
    """The figures of the calls that share a label."""

    name: str


@dataclass(frozen=True, slots=True)
class StatsReport(Figures):
    """The figures of a window."""

    window: Window
    since: int
    """Unix second at which the window really begins; 0 for all."""
    until: int
    by: GroupBy | None
    groups: Sequence[Group] = field(default=())


@dataclass(frozen=True, slots=True)
class Traffic:
    """The few figures that are quickly read: none of times. Money is dollars."""

    calls: int
    routable: int
    replaced: int
    cost: float
    cost_avoided: float

    @property
    def replacement_rate(self) -> float | None:
        """By calls."""
        return _ratio(self.replaced, self.routable)


class Stats:
    """Reads rollups. Raises DatabaseAway."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, window: Window, by: GroupBy | None, now: int) -> StatsReport:
        """The figures of the window that ends now (Unix seconds)."""
        spans = cover(window, now)
        with translating(self._engine), self._engine.connect() as connection:
            measured = read_measures(connection, spans, _kind(by))
        groups = _groups(measured, by) if by is not None else ()
        return StatsReport(
            **_figures(measured),
            window=window,
            since=spans[0].since,
            until=now,
            by=by,
            groups=groups,
        )

    def traffic(self, window: Window, by: GroupBy, now: int) -> Mapping[str, Traffic]:
        """Counts and dollars alone by label; the database adds up what `read` decodes."""
        label = _LABEL[by]
        found: dict[str, tuple[Counts, Counts, Counts]] = {}
        with translating(self._engine), self._engine.connect() as connection:
            labels = series_labels(connection)
            for number, *sums in connection.execute(_sums(cover(window, now))):
                own, counts = labels[number], Counts(list(map(int, sums)))
                kinds = found.setdefault(label(own), (Counts(), Counts(), Counts()))
                for kind, belongs in zip(kinds, (True, own.routable, own.replaced), strict=True):
                    if belongs:
                        kind.add(counts)
        return {name: _traffic(*kinds) for name, kinds in found.items()}


def series_labels(connection: Connection) -> Mapping[int, Labels]:
    """The labels of every series by its number."""
    names = select(series.c.id, *(series.c[name] for name in SERIES_KEY))
    return {row[0]: Labels(*row[1:]) for row in connection.execute(names)}


def _sums(spans: Sequence[Span]) -> Select[Any]:
    """The counters of these spans by series."""
    sums = (func.sum(rollups.c[name]) for name in COUNTERS)
    return select(rollups.c.series, *sums).where(or_(False, *map(_within, spans))).group_by(rollups.c.series)


def _traffic(everything: Counts, routable: Counts, replaced: Counts) -> Traffic:
    return Traffic(
        calls=everything["calls"],
        routable=routable["calls"],
        replaced=replaced["calls"],
        cost=everything["cost"] / NANO,
        cost_avoided=(replaced["list_cost"] - replaced["cost"]) / NANO,
    )


def read_measures(
    connection: Connection, spans: Sequence[Span], kind: Callable[[Labels], Hashable] = lambda labels: labels
) -> list[tuple[Labels, Measures]]:
    """The measures of these spans, added up over the series of each kind; its labels are those of one of them."""
    labels = series_labels(connection)
    kinds: dict[Hashable, tuple[Labels, Measures]] = {}
    sums: dict[int, Measures] = {}
    query = select(rollups.c.series, *MEASURE_COLUMNS).where(or_(False, *map(_within, spans)))
    for row in connection.execute(query):
        measures = sums.get(row[0])
        if measures is None:
            own = labels[row[0]]
            measures = sums[row[0]] = kinds.setdefault(kind(own), (own, Measures()))[1]
        measures.merge_row(row, 1)
    return list(kinds.values())


def _kind(by: GroupBy | None) -> Callable[[Labels], Hashable]:
    """What the figures tell apart: series that agree in it are added up as they are read."""
    if by is None:
        return lambda labels: (labels.route_name, labels.routable, labels.replaced)
    label = _LABEL[by]
    return lambda labels: (labels.route_name, labels.routable, labels.replaced, label(labels))


def _within(span: Span) -> ColumnElement[bool]:
    condition = and_(rollups.c.level == span.level, rollups.c.bucket >= span.since)
    return condition if span.until is None else and_(condition, rollups.c.bucket < span.until)


def _groups(measured: Sequence[tuple[Labels, Measures]], by: GroupBy) -> Sequence[Group]:
    label = _LABEL[by]
    members: dict[str, list[tuple[Labels, Measures]]] = {}
    for labels, measures in measured:
        members.setdefault(label(labels), []).append((labels, measures))
    groups = [Group(**_figures(group), name=name) for name, group in members.items()]
    return sorted(groups, key=lambda group: (-group.calls, group.name))


def _figures(measured: Sequence[tuple[Labels, Measures]]) -> dict[str, Any]:
    by_route: dict[str, Measures] = {}
    routable, replaced = Counts(), Counts()
    for labels, measures in measured:
        by_route.setdefault(labels.route_name, Measures()).merge(measures)
        if labels.routable:
            routable.add(measures)
        if labels.replaced:
            replaced.add(measures)
    total = Measures()
    for measures in by_route.values():
        total.merge(measures)
    return {
        "calls": total["calls"],
        "routable": routable["calls"],
        "replaced": replaced["calls"],
        "replacement_rate": rates(replaced, routable),
        "fallbacks": dict(sorted(total.fallbacks.items())),
        "errors": total["errors"],
        "latency_ms": {
            route: histogram.percentiles(sums.latency) for route, sums in sorted(by_route.items())
        },
        "first_byte_ms": {
            route: histogram.percentiles(sums.first_byte) for route, sums in sorted(by_route.items())
        },
        "overhead_ms": histogram.percentiles(total.overhead, (50, 99)),
        "tokens": Tokens(
            total["input"], total["cached_input"], total["cache_write"], total["output"], total["reasoning"]
        ),
        "cost": total["cost"] / NANO,
        "cost_avoided": (replaced["list_cost"] - replaced["cost"]) / NANO,
        "unpriced": total["unpriced"],
    }


def rates(replaced: Counts, routable: Counts) -> Rates:
    """The replacement rate in its three measures."""
    return Rates(
        calls=_ratio(replaced["calls"], routable["calls"]),
        tokens=_ratio(_tokens(replaced), _tokens(routable)),
        dollars=_ratio(replaced["list_cost"], routable["list_cost"]),
    )


def _tokens(measures: Counts) -> int:
    return sum(measures[name] for name in ("input", "cached_input", "cache_write", "output"))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
