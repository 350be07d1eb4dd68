"""What is counted on the way through the log: calls of one kind that both sets of rules decide alike, together."""

from __future__ import annotations

from typing import NamedTuple

from router.decision import Route
from store.histogram import Histogram, merge
from store.scan import Labels


class Choice(NamedTuple):
    """Where a set of rules sends a call."""

    route: Route
    rule: str
    understudy: str
    task: str


class CellKey(NamedTuple):
    """What the calls of a cell have in common."""

    series: int
    fallback: bool
    """Whether a small model was asked and did not answer."""
    today: Choice
    other: Choice


class Cell:
    """Sums over calls; money in nano-dollars."""

    __slots__ = ("calls", "cost", "input", "labels", "list_cost", "output", "times", "unlisted", "unpriced")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.calls = 0
        self.input = 0
        """Prompt tokens, cached ones included."""
        self.output = 0
        self.cost = 0
        self.list_cost = 0
        """What the calls cost, or would have, at the model that was asked for."""
        self.unpriced = 0
        self.unlisted = 0
        """Calls whose cost, or whose list cost, nobody knows."""
        self.times: Histogram = {}
        """Durations, as `store.histogram` buckets them."""

    def add(self, other: Cell) -> None:
        """Add the calls of another cell of the same kind."""
        self.calls += other.calls
        self.input += other.input
        self.output += other.output
        self.cost += other.cost
        self.list_cost += other.list_cost
        self.unpriced += other.unpriced
        self.unlisted += other.unlisted
        merge(self.times, other.times)

    @property
    def tokens(self) -> int:
        """Every token once."""
        return self.input + self.output
