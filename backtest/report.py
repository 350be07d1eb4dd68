"""Both sides added up: replacement, agreement, cost and latency, in all, per task and per rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from backtest.cells import Cell, CellKey, Choice
from backtest.experience import Experiences
from backtest.replay import Counted, Moved
from store.histogram import Histogram, percentiles
from store.prices import NANO

_ALPHA: Final = 0.05
_FINE: Final = 1000
"""Parts of a call that histograms are added up in: a call may be counted in two of them, by halves."""

Side = Callable[[CellKey], Choice]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often replaced calls get an answer as good as the LLM's."""

    estimate: float
    lower: float
    upper: float
    """With 95% confidence in both bounds of all small models together."""
    known: float
    """Share of the replaced calls whose small model was ever compared with the LLM; the others are left out here."""


@dataclass(slots=True)
class Figures:
    """One side of a group. Replaced calls are expected values: a small model does not answer every call it gets."""

    calls: int = 0
    replaced: float = 0.0
    tokens: int = 0
    replaced_tokens: float = 0.0
    dollars: float = 0.0
    """Of the calls whose price is known."""
    unpriced: int = 0
    """Calls whose price is not known."""
    agreement: Agreement | None = None
    """None where nothing is replaced, or nothing is known."""
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    by_model: dict[str, float] = field(default_factory=dict)
    """Expected replaced calls by small model."""

    @property
    def replacement_rate(self) -> float:
        """Replaced of all calls."""
        return self.replaced / self.calls if self.calls else 0.0

    @property
    def token_rate(self) -> float:
        """The same by tokens."""
        return self.replaced_tokens / self.tokens if self.tokens else 0.0


@dataclass(frozen=True, slots=True)
class Group:
    """A task or a rule, on both sides."""

    name: str
    today: Figures
    other: Figures


@dataclass(frozen=True, slots=True)
class Report:
    """What other rules would have done."""

    today: Figures
    other: Figures
    recorded_rate: float
    """The replacement rate as it really was: rules and understudies may have been others then."""
    tasks: Sequence[Group]
    rules: Sequence[Group]
    moved: int
    examples: Sequence[Moved]
    undecided: int
    notes: Sequence[str]
    """What these figures rest on, where they rest on less than they seem to."""


def report(counted: Counted, experiences: Experiences, notes: Sequence[str] = ()) -> Report:
    """Add up what the pass found."""
    cells = counted.cells
    recorded = sum(cell.calls for cell in cells.values() if cell.labels.route == "slm")
    today, other = (_figures(cells.items(), side, experiences, times=True) for side in _SIDES)
    return Report(
        today=today,
        other=other,
        recorded_rate=recorded / counted.read if counted.read else 0.0,
        tasks=_groups(cells, experiences, lambda choice: choice.task),
        rules=_groups(cells, experiences, lambda choice: choice.rule),
        moved=counted.moved,
        examples=counted.latest,
        undecided=counted.undecided,
        notes=(*notes, *_notes(counted, other, experiences)),
    )


_SIDES: Final[tuple[Side, Side]] = (lambda key: key.today, lambda key: key.other)


def _groups(
    cells: Mapping[CellKey, Cell], experiences: Experiences, name: Callable[[Choice], str]
) -> list[Group]:
    """Groups by a name that each side gives its calls, those with most calls first."""
    found: dict[str, tuple[list[tuple[CellKey, Cell]], list[tuple[CellKey, Cell]]]]
    found = defaultdict(lambda: ([], []))
    for key, cell in cells.items():
        for number, side in enumerate(_SIDES):
            found[name(side(key))][number].append((key, cell))
    groups = [
        Group(
            label,
            *(_figures(mine, side, experiences) for mine, side in zip(both, _SIDES, strict=True)),
        )
        for label, both in found.items()
    ]
    return sorted(groups, key=lambda group: (-max(group.today.calls, group.other.calls), group.name))


def _figures(
    cells: Iterable[tuple[CellKey, Cell]], side: Side, experiences: Experiences, *, times: bool = False
) -> Figures:
    figures = Figures()
    histogram: dict[int, float] = defaultdict(float)
    for key, cell in cells:
        choice = side(key)
        answered = _answered(key, cell, choice, experiences)
        figures.calls += cell.calls
        figures.tokens += cell.tokens
        figures.replaced += answered * cell.calls
        figures.replaced_tokens += answered * cell.tokens
        if answered:
            by_model = figures.by_model
            by_model[choice.understudy] = by_model.get(choice.understudy, 0.0) + answered * cell.calls
        _add_cost(figures, cell, choice, answered, experiences)
        if times:
            _add_times(histogram, cell, choice, answered, experiences)
    figures.agreement = _agreement(figures.by_model, experiences)
    if times:
        whole: Histogram = {index: round(count * _FINE) for index, count in histogram.items()}
        figures.latency_ms = percentiles(whole, (50, 95))
    return figures


def _answered(key: CellKey, cell: Cell, choice: Choice, experiences: Experiences) -> float:
    """The share of a cell's calls that a small model answers: as it was where the same one had them, else as expected."""
    if choice.route != "slm":
        return 0.0
    if cell.labels.route == "slm" and cell.labels.understudy == choice.understudy:
        return 1.0
    if key.fallback and key.today.understudy == choice.understudy:
        return 0.0
    return experiences.of(choice.understudy).answers


def _add_cost(
    figures: Figures, cell: Cell, choice: Choice, answered: float, experiences: Experiences
) -> None:
    """Replaced calls at the small model's price, the others at what they cost, or at the list where they were replaced."""
    price = experiences.of(choice.understudy).price
    small = (cell.input * price.input + cell.output * price.output) / 1000
    was_upstream = cell.labels.route == "upstream"
    upstream = cell.cost if was_upstream else cell.list_cost
    unknown = cell.unpriced if was_upstream else cell.unlisted
    figures.dollars += (answered * small + (1 - answered) * upstream) / NANO
    figures.unpriced += round((1 - answered) * unknown)


def _add_times(
    histogram: dict[int, float], cell: Cell, choice: Choice, answered: float, experiences: Experiences
) -> None:
    """Durations as they were where nothing changes, else those that the other side is known for."""
    was_small = cell.labels.route == "slm"
    small = (
        cell.times
        if was_small and cell.labels.understudy == choice.understudy
        else experiences.of(choice.understudy).times
    )
    upstream = experiences.upstream_times(cell.labels.model) if was_small else cell.times
    for times, share in ((small, answered), (upstream, 1 - answered)):
        whole = sum(times.values())
        if share and whole:
            scale = share * cell.calls / whole
            for index, count in times.items():
                histogram[index] += count * scale


def _agreement(by_model: Mapping[str, float], experiences: Experiences) -> Agreement | None:
    bounds = {name: experiences.of(name).agreement(_ALPHA / max(1, len(by_model))) for name in by_model}
    weights = {name: by_model[name] for name, bound in bounds.items() if bound is not None}
    weight, whole = sum(weights.values()), sum(by_model.values())
    if not weight:
        return None
    estimate, lower, upper = (
        sum(weights[name] * bound[place] for name, bound in bounds.items() if bound is not None) / weight
        for place in range(3)
    )
    return Agreement(estimate, lower, upper, weight / whole)


def _notes(counted: Counted, other: Figures, experiences: Experiences) -> Iterable[str]:
    if counted.undecided:
        yield (
            f"{counted.undecided:,} calls were stored without their whole content, so no rule could be asked; "
            "they are counted as staying where they were"
        )
    for name in sorted(other.by_model):
        known = experiences.of(name)
        if not known.known:
            yield f"{name} has never been asked, so it is counted as answering every call it gets"
        if not known.times:
            yield f"{name} answered no call in this window, so its calls are left out of the latency"
    if other.agreement is not None and other.agreement.known < 1:
        yield f"the agreement is that of {other.agreement.known:.0%} of the replaced calls; the others were never compared"
    elif other.agreement is None and other.replaced:
        yield "no replaced call has a small model that was ever compared with the LLM, so no agreement can be told"
    if other.unpriced:
        yield f"{other.unpriced:,} calls go to models without a price, and are left out of the dollars; see prices"
