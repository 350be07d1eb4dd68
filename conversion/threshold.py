"""The confidence from which a candidate answers, chosen on calibration calls; held-out calls then say whether it may."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from router.gate.selective import GRID

_PRIOR: Final = 0.5
"""Jeffreys' prior for a share."""
_CAUTION: Final = 4
"""How much the chance of passing weighs against coverage: who fails has looked at the held-out calls for nothing. In
simulation 4 lets 93 to 100% of choices pass, 2 between 87 and 100%, at a few points less coverage of those that do."""


def choose(
    pairs: Sequence[tuple[float, bool]],
    held_out: int,
    target: float,
    alpha: float,
    grid: Sequence[float] = GRID,
) -> float | None:
    """The threshold that promises the most certified coverage; None when none promises any.

    `pairs` are (confidence, agreed) of calibration calls, `held_out` how many calls the gate will look at, `alpha` the
    level at which it will. For each threshold of the grid: coverage on the calibration calls, times the probability
    that the exact test passes on as many held-out calls as would be answered, given what the calibration calls say of
    the agreement (a beta-binomial, by Bayes), to the power of the caution. The choice needs no guarantee of its own: it
    is made before the held-out calls are looked at, and they are looked at once."""
    best, promise = None, 0.0
    for threshold in sorted(set(grid)):
        answered = [agreed for confidence, agreed in pairs if confidence >= threshold]
        if not answered:
            break
        coverage = len(answered) / len(pairs)
        chance = _passes(sum(answered), len(answered), round(coverage * held_out), target, alpha)
        expected = coverage * chance**_CAUTION
        if expected > promise + 1e-12:
            best, promise = threshold, expected
    return best


def prospect(
    pairs: Sequence[tuple[float, bool]], threshold: float, held_out: int, target: float, alpha: float
) -> float:
    """The probability that the test passes on the held-out calls with this threshold, given the calibration calls; 1
    without any of these, since then nothing speaks against it."""
    if not pairs:
        return 1.0
    answered = [agreed for confidence, agreed in pairs if confidence >= threshold]
    return _passes(sum(answered), len(answered), round(len(answered) / len(pairs) * held_out), target, alpha)


def needed(answered: int, target: float, alpha: float) -> int | None:
    """How many of the answered calls must agree to be certified; None when even all are too few.

    The exact lower bound reaches the target when so many or more would agree with a probability of at most alpha, were
    the target the truth; so the upper tail of the binomial is added up from its end."""
    tail, least = 0.0, None
    for agreed in range(answered, 0, -1):
        tail += math.exp(_log_binomial(agreed, answered, target))
        if tail > alpha:
            break
        least = agreed
    return least


def _passes(agreed: int, calibration: int, answered: int, target: float, alpha: float) -> float:
    """The probability that at least as many as needed agree among `answered` new calls."""
    least = needed(answered, target, alpha)
    if least is None:
        return 0.0
    a, b = agreed + _PRIOR, calibration - agreed + _PRIOR
    return math.fsum(
        math.exp(_log_beta_binomial(count, answered, a, b)) for count in range(least, answered + 1)
    )


def _log_binomial(count: int, trials: int, share: float) -> float:
    return _log_ways(count, trials) + count * math.log(share) + (trials - count) * math.log1p(-share)


def _log_beta_binomial(count: int, trials: int, a: float, b: float) -> float:
    return _log_ways(count, trials) + _log_beta(count + a, trials - count + b) - _log_beta(a, b)


def _log_ways(count: int, trials: int) -> float:
    return math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
