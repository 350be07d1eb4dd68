"""The live gate: an e-process that certifies agreement while everybody looks at it after every pair."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from router.gate.alternatives import Alternative, alternatives
from router.gate.checks import check_open_share, count, number

_BETTER: Final = ((0.0, 1.0), (0.15, 1.0), (0.35, 3.0), (0.55, 2.0), (0.8, 1.0))
"""Odds of a disagreement, as parts of the odds at the target, and how much is bet on each."""


@dataclass(frozen=True, slots=True)
class Certification:
    """Evidence against "agreement is at most the target", valid at every moment at which one may look.

    Let x_t be 1 when pair t agrees, and let p_t = P(x_t = 1 | the past). For a q above the target c put

        L_t(q) = q/c when x_t = 1, (1-q)/(1-c) when x_t = 0.

    *Supermartingale under the whole null.* E[L_t(q) | past] = p_t q/c + (1-p_t)(1-q)/(1-c) is linear in p_t with
    slope q/c - (1-q)/(1-c), which is positive because q > c; at p_t = c it is q + 1 - q = 1. So it is at most 1 for
    every p_t <= c: the null is composite, and p_t may even drift inside it. Products of such factors, and averages of
    products over a fixed set of q, are therefore non-negative supermartingales that start at 1. E is such an average.
    *Ville's inequality* (Ville 1939; Ramdas et al., Statistical Science 38, 2023) gives
    P(E ever reaches 1/alpha) <= alpha, so the highest E so far may be compared with 1/alpha at any time.

    A fixed q leaves E a function of two counts, so the state is O(1). Pairs have to come in an order that does not
    depend on how they turn out."""

    target: float
    agreed: int = 0
    disagreed: int = 0
    peak: float = 0.0
    """Highest natural logarithm of E so far; once a level is reached, it stays reached."""

    def __post_init__(self) -> None:
        check_open_share("target", self.target)

    @property
    def pairs(self) -> int:
        """Pairs seen."""
        return self.agreed + self.disagreed

    @property
    def log_e(self) -> float:
        """Natural logarithm of E now."""
        return log_evidence(self.agreed, self.disagreed, alternatives(self.target, _BETTER))

    def after(self, agreed: bool) -> Certification:
        """The state after one more pair."""
        counted = replace(self, agreed=self.agreed + agreed, disagreed=self.disagreed + (not agreed))
        return replace(counted, peak=max(self.peak, counted.log_e))

    def certified(self, alpha: float) -> bool:
        """Whether agreement above the target is established, with at most `alpha` as the chance of being wrong."""
        check_open_share("alpha", alpha)
        return self.peak >= -math.log(alpha)

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "target": self.target,
            "agreed": self.agreed,
            "disagreed": self.disagreed,
            "peak": self.peak,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Certification:
        """Resume from plain data; raises ValueError when it is not a state."""
        return cls(
            number(data, "target"), count(data, "agreed"), count(data, "disagreed"), number(data, "peak")
        )


def log_evidence(agreed: int, disagreed: int, bets: tuple[Alternative, ...]) -> float:
    """Logarithm of the weighted average of the bets' likelihood ratios, without overflow."""
    logs = [bet.log_weight + bet.log_ratio(agreed, disagreed) for bet in bets]
    highest = max(logs)
    return highest + math.log(sum(math.exp(each - highest) for each in logs))
