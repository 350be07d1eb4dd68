"""What is known of a small model before it is asked anything: how often it answers, how well, at what price, how fast."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from backtest.cells import Cell, CellKey
from router.gate.clopper_pearson import lower_bound, upper_bound
from store.histogram import Histogram, merge
from store.prices import Price
from store.tally import Tally

_FREE: Final = Price(0, 0, 0, 0)
_PAIRS: Final = 30
"""Pairs from which on what became of them says how often a small model answers."""


@dataclass(frozen=True, slots=True)
class Experience:
    """What is known of one small model."""

    answered: int = 0
    """Calls in the log that it answered."""
    declined: int = 0
    """Calls in the log that were given to it and that it did not answer."""
    pairs: Tally = field(default_factory=Tally)
    """How its answers compared with the LLM's."""
    price: Price = _FREE
    times: Mapping[int, int] = field(default_factory=dict)
    """How long its calls took."""

    @property
    def known(self) -> bool:
        """Whether anything tells how often it answers."""
        return self.answered + self.declined > 0 or self.pairs.answered + self.pairs.abstained >= _PAIRS

    @property
    def answers(self) -> float:
        """The share of its calls that it answers; all of them where nothing is known."""
        tried = self.answered + self.declined
        if tried:
            return self.answered / tried
        asked = self.pairs.answered + self.pairs.abstained
        return self.pairs.answered / asked if asked >= _PAIRS else 1.0

    def agreement(self, alpha: float) -> tuple[float, float, float] | None:
        """Estimate, lower and upper bound, each bound wrong with at most half of `alpha`; None without pairs."""
        if not self.pairs.answered:
            return None
        agreed, answered = self.pairs.agreed, self.pairs.answered
        return (
            agreed / answered,
            lower_bound(agreed, answered, alpha / 2),
            upper_bound(agreed, answered, alpha / 2),
        )


class Experiences:
    """What is known of all of them, from the log that was read, the pairs and the prices."""

    def __init__(
        self, cells: Mapping[CellKey, Cell], pairs: Mapping[str, Tally], prices: Mapping[str, Price]
    ) -> None:
        self._pairs = pairs
        self._prices = prices
        self._answered: dict[str, int] = defaultdict(int)
        self._declined: dict[str, int] = defaultdict(int)
        self._times: dict[str, Histogram] = defaultdict(dict)
        self._upstream: dict[str, Histogram] = defaultdict(dict)
        for key, cell in cells.items():
            self._learn(key, cell)

    def of(self, understudy: str) -> Experience:
        """What is known of one small model."""
        return Experience(
            self._answered[understudy],
            self._declined[understudy],
            self._pairs.get(understudy, Tally()),
            self._prices.get(understudy, _FREE),
            self._times[understudy],
        )

    def upstream_times(self, model: str) -> Mapping[int, int]:
        """How long the upstream takes for a model that agents ask for; for any where this one was never asked."""
        return self._upstream.get(model) or _merged(self._upstream.values())

    def _learn(self, key: CellKey, cell: Cell) -> None:
        """The log does not name the small model that was asked and did not answer: under the rule that decided then, it is
        the one that is asked today; what another rule did says nothing of it."""
        labels = cell.labels
        if labels.route == "slm":
            self._answered[labels.understudy] += cell.calls
            merge(self._times[labels.understudy], cell.times)
        elif key.fallback and key.today.route == "slm" and key.today.rule == labels.rule:
            self._declined[key.today.understudy] += cell.calls
        elif not key.fallback:
            merge(self._upstream[labels.model], cell.times)


def _merged(all_times: Iterable[Histogram]) -> Histogram:
    whole: Histogram = {}
    for times in all_times:
        merge(whole, times)
    return whole
