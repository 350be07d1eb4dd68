"""Falls: an e-detector that notices when agreement, or any share of good calls, drops below what was promised."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from router.gate.alternatives import alternatives
from router.gate.checks import check_open_share, count, number

_WORSE: Final = ((1.5, 2.0), (2.2, 3.0), (4.0, 1.0), (12.0, 0.3))
"""Odds of a disagreement, as multiples of the odds at the target, and how much is bet on each."""

_CAP: Final = 1e300
"""Sums past this say nothing more, and would end as infinity."""


@dataclass(frozen=True, slots=True)
class FallDetector:
    """Evidence against "the share of good pairs is at least the target", however long it was good before.

    With L_t(q) as in `Certification`, but q below the target c, E[L_t(q) | past] is at most 1 for every p_t >= c: the
    slope in p_t is negative now and the value at p_t = c is 1 again. A single e-process would have to win back all that
    it lost while things went well. So one is started at every pair, and their sum is kept (Shiryaev-Roberts):

        R_t = (R_{t-1} + 1) L_t,  R_0 = 0,  averaged over a fixed set of q.

    *Average run length.* E[R_t | past] <= R_{t-1} + 1 under the null, so R_t - t is a supermartingale, and optional
    stopping at the first t with R_t >= A gives E[that t] >= E[R_t] >= A: while the promise is kept, false alarms
    are at least A pairs apart on average, and P(an alarm within n pairs) <= n/A. This is the e-SR detector of Shin,
    Ramdas and Rinaldo, E-detectors (New England Journal of Statistics in Data Science 2, 2024). Where agreement lies
    clearly above the target, false alarms are far rarer still.

    The state is one number for each q, and the highest sum: O(1)."""

    target: float
    pairs: int = 0
    bad: int = 0
    sums: tuple[float, ...] = ()
    """R of each q, unweighted; empty before the first pair."""
    peak: float = 0.0
    """Highest weighted R so far; an alarm, once raised, stays raised."""

    def __post_init__(self) -> None:
        check_open_share("target", self.target)
        if len(self.sums) not in (0, len(_WORSE)):
            raise ValueError(
                f"a stored detector has {len(self.sums)} sums, {len(_WORSE)} are needed; start afresh"
            )

    @property
    def evidence(self) -> float:
        """R now, to be held against the average run length."""
        bets = alternatives(self.target, _WORSE)
        weighted = (math.exp(bet.log_weight) * total for bet, total in zip(bets, self.sums, strict=False))
        return math.fsum(weighted)

    def after(self, good: bool) -> FallDetector:
        """The state after one more pair or call."""
        bets = alternatives(self.target, _WORSE)
        before = self.sums or (0.0,) * len(bets)
        factors = [math.exp(bet.log_if_agreed if good else bet.log_if_disagreed) for bet in bets]
        sums = tuple(min((total + 1) * factor, _CAP) for total, factor in zip(before, factors, strict=True))
        counted = replace(self, pairs=self.pairs + 1, bad=self.bad + (not good), sums=sums)
        return replace(counted, peak=max(self.peak, counted.evidence))

    def fallen(self, run_length: float) -> bool:
        """Whether a fall is established; `run_length` (A) is the least mean number of pairs between false alarms."""
        if run_length < 1:
            raise ValueError(f"run_length is {run_length!r}; it counts pairs, so at least 1")
        return self.peak >= run_length

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "target": self.target,
            "pairs": self.pairs,
            "bad": self.bad,
            "sums": list(self.sums),
            "peak": self.peak,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> FallDetector:
        """Resume from plain data; raises ValueError when it is not a state."""
        return cls(
            target=number(data, "target"),
            pairs=count(data, "pairs"),
            bad=count(data, "bad"),
            sums=_sums(data.get("sums")),
            peak=number(data, "peak"),
        )


def _sums(value: object) -> tuple[float, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(f"sums of a stored state is {value!r}; it must be an array of numbers")
    return tuple(number({"sums": each}, "sums") for each in value)
