"""The agreements that are bet on, on the better or the worse side of the target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Alternative:
    """One agreement q that is bet on against the target c; the bet's stake is its weight."""

    log_weight: float
    log_if_agreed: float
    """log(q/c)"""
    log_if_disagreed: float
    """log((1-q)/(1-c)); minus infinity for q = 1."""

    def log_ratio(self, agreed: int, disagreed: int) -> float:
        """Logarithm of the likelihood ratio of q against c after these pairs."""
        lost = disagreed * self.log_if_disagreed if disagreed else 0.0  # 0 * inf is no number
        return agreed * self.log_if_agreed + lost


@lru_cache(maxsize=256)
def alternatives(target: float, bets: tuple[tuple[float, float], ...]) -> tuple[Alternative, ...]:
    """Alternatives whose odds of a disagreement are given multiples of the odds at the target.

    `bets` are (multiple, stake); stakes need not add up to 1. Odds keep the same bets sensible for every target."""
    whole = math.fsum(stake for _, stake in bets)
    return tuple(_alternative(target, multiple, stake / whole) for multiple, stake in bets)


def _alternative(target: float, multiple: float, weight: float) -> Alternative:
    odds = multiple * (1 - target) / target
    if_disagreed = math.log(odds / (1 + odds) / (1 - target)) if odds else -math.inf
    return Alternative(math.log(weight), -math.log((1 + odds) * target), if_disagreed)
