"""The pass over the log: what the rules of today and the other ones make of each call."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from backtest.cells import Cell, CellKey, Choice
from backtest.logged import Log, LoggedCall
from router.decision import Query, Router
from router.learned import Learned, Proposal
from store import call_id
from store.histogram import add
from store.scan import Labels

Progress = Callable[[int], None]
"""Called with how many calls have been read."""

_EVERY = 2000


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

    cells: dict[CellKey, Cell] = field(default_factory=dict)
    read: int = 0
    """Calls that a small model could have answered by their endpoint."""
    undecided: int = 0
    """Those whose content was not kept whole, so that no rule can be asked; they are taken to stay where they were."""
    moved: int = 0
    examples: deque[Moved] = field(default_factory=deque)
    """The latest calls that move."""


class Remembering:
    """A learned router that two sets of rules ask the same; satisfies Learned."""

    def __init__(self, learned: Learned) -> None:
        self._learned = learned
        self._query: Query | None = None
        self._proposal: Proposal | None = None

    def propose(self, query: Query) -> Proposal | None:
        """The proposal for a call; asked again for the same call, it is not worked out again."""
        if query is not self._query:
            self._query, self._proposal = query, self._learned.propose(query)
        return self._proposal


def replay(log: Log, today: Router, other: Router, *, examples: int = 20, progress: Progress) -> Counted:
    """Decide every call twice; raises DatabaseAway and KeyMissing."""
    counted = Counted(examples=deque(maxlen=examples))
    for call in log.calls():
        counted.read += 1
        if call.query is None:
            counted.undecided += 1
            _count(counted, call, _as_it_was(call.labels), _as_it_was(call.labels))
        else:
            _decide(counted, call, call.query, today, other)
        if not counted.read % _EVERY:
            progress(counted.read)
    progress(counted.read)
    return counted


def _decide(counted: Counted, call: LoggedCall, query: Query, today: Router, other: Router) -> None:
    before = Choice.of(today.decide(query))
    decision = other.decide(query)
    after = Choice.of(decision)
    _count(counted, call, before, after)
    if (before.route, before.understudy) != (after.route, after.understudy):
        counted.moved += 1
        shown = call_id.show(bytes(call.row.id))
        counted.examples.append(
            Moved(shown, after.task, _target(before), _target(after), after.rule, decision.reason)
        )


def _count(counted: Counted, call: LoggedCall, today: Choice, other: Choice) -> None:
    row = call.row
    key = CellKey(row.series, bool(row.fallback), today, other)
    cell = counted.cells.get(key)
    if cell is None:
        cell = counted.cells[key] = Cell(call.labels)
    cell.calls += 1
    cell.input += row.input + row.cached_input + row.cache_write
    cell.output += row.output
    if row.cost is None:
        cell.unpriced += 1
    else:
        cell.cost += row.cost
    if row.list_cost is None:
        cell.unlisted += 1
    else:
        cell.list_cost += row.list_cost
    add(cell.times, row.duration)


def _as_it_was(labels: Labels) -> Choice:
    return Choice(labels.route, labels.rule, labels.understudy, labels.task)


def _target(choice: Choice) -> str:
    return choice.understudy or "upstream"
