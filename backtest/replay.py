"""The pass over the log: what the rules of today and the other ones make of each call."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from backtest.cells import Cell, CellKey, Choice
from backtest.logged import Log, LoggedCall
from router.decision import Decision, Route
from router.read import Reading
from router.rule_router import RuleRouter
from store import call_id
from store.histogram import add
from store.scan import Labels

Progress = Callable[[int], None]
"""Called with how many calls have been read."""

_EVERY: Final = 2000
_Choice = tuple[Route, str, str, str]
"""A Choice while counting: plain tuples are made faster."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A call that the other rules send elsewhere."""

    call_id: str
    task: str
    before: str
    """`upstream`, or the name of a small model."""
    after: str
    rule: str
    """Of the other rules."""
    reason: str


@dataclass(slots=True)
class Counted:
    """What the pass found."""

    found: dict[tuple[int, bool, _Choice, _Choice], Cell] = field(default_factory=dict)
    """By series, whether a small model was asked in vain, and both choices."""
    read: int = 0
    """Calls that a small model could have answered by their endpoint."""
    undecided: int = 0
    """Those whose content was not kept whole, so that no rule can be asked; they are taken to stay where they were."""
    moved: int = 0
    examples: deque[tuple[bytes, Decision, Decision]] = field(default_factory=deque)
    """The latest calls that move."""

    def add(self, other: Counted) -> None:
        """Add what was found on another stretch of the log."""
        for key, cell in other.found.items():
            if key in self.found:
                self.found[key].add(cell)
            else:
                self.found[key] = cell
        self.read += other.read
        self.undecided += other.undecided
        self.moved += other.moved
        latest = sorted([*self.examples, *other.examples], key=lambda example: example[0])
        self.examples = deque(latest, maxlen=other.examples.maxlen)

    @property
    def cells(self) -> dict[CellKey, Cell]:
        """What was counted, in an order that does not tell which process found what: sums of fractions depend on it."""
        return {
            CellKey(series, fallback, Choice(*today), Choice(*other)): cell
            for (series, fallback, today, other), cell in sorted(self.found.items(), key=itemgetter(0))
        }

    @property
    def latest(self) -> tuple[Moved, ...]:
        """The calls that move, the latest first."""
        return tuple(map(_moved, reversed(self.examples)))


def replay(
    log: Log, today: RuleRouter, other: RuleRouter, *, examples: int = 20, progress: Progress
) -> Counted:
    """Decide every call twice, over the learned router of today; raises DatabaseAway and KeyMissing."""
    counted = Counted(examples=deque(maxlen=examples))
    for call in log.calls():
        counted.read += 1
        if call.query is None:
            counted.undecided += 1
            _count(counted, call, _as_it_was(call.labels), _as_it_was(call.labels))
        else:
            _decide(counted, call, Reading(call.query, today.learned), today, other)
        if not counted.read % _EVERY:
            progress(counted.read)
    progress(counted.read)
    return counted


def _decide(
    counted: Counted, call: LoggedCall, reading: Reading, today: RuleRouter, other: RuleRouter
) -> None:
    before, after = today.decide_read(reading), other.decide_read(reading)
    _count(counted, call, _choice(before), _choice(after))
    if before.route != after.route or before.understudy != after.understudy:
        counted.moved += 1
        counted.examples.append((call.stored.id, before, after))


def _count(counted: Counted, call: LoggedCall, today: _Choice, other: _Choice) -> None:
    stored = call.stored
    key = (stored.series, stored.fallback != "", today, other)
    cell = counted.found.get(key)
    if cell is None:
        cell = counted.found[key] = Cell(call.labels)
    cell.calls += 1
    cell.input += stored.input + stored.cached_input + stored.cache_write
    cell.output += stored.output
    if stored.cost is None:
        cell.unpriced += 1
    else:
        cell.cost += stored.cost
    if stored.list_cost is None:
        cell.unlisted += 1
    else:
        cell.list_cost += stored.list_cost
    add(cell.times, stored.duration)


def _choice(decision: Decision) -> _Choice:
    return decision.route, decision.rule, decision.understudy, decision.task


def _as_it_was(labels: Labels) -> _Choice:
    return labels.route, labels.rule, labels.understudy, labels.task


def _moved(example: tuple[bytes, Decision, Decision]) -> Moved:
    number, before, after = example
    shown = call_id.show(bytes(number))
    return Moved(
        shown,
        after.task,
        before.understudy or "upstream",
        after.understudy or "upstream",
        after.rule,
        after.reason,
    )
