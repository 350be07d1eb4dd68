"""The regularised incomplete beta function, which binomial tails are made of; the base install has no scipy."""

from __future__ import annotations

import math
from typing import Final

_STEPS: Final = 10_000
_ENOUGH: Final = 1e-15
_TINY: Final = 1e-300


def incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b) for a, b > 0 and x in [0, 1].

    Continued fraction DLMF 8.17.22, evaluated by Lentz's method (Press et al., Numerical Recipes, 6.4)."""
    if not (a > 0 and b > 0 and 0 <= x <= 1):
        raise ValueError(f"a {a!r} and b {b!r} must be above 0, and x {x!r} from 0 to 1")
    if x in (0, 1):
        return float(x)
    if x > (a + 1) / (a + b + 2):  # beyond here the fraction of the mirrored function converges faster
        return 1 - _lower(b, a, 1 - x)
    return _lower(a, b, x)


def beta_quantile(a: float, b: float, probability: float) -> float:
    """The x at which I_x(a, b) is `probability`, by bisection to the last bit that counts."""
    low, high = 0.0, 1.0
    while high - low > 1e-14:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if incomplete_beta(a, b, middle) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _lower(a: float, b: float, x: float) -> float:
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for numerator in (even, odd):
            d = 1 / _not_zero(1 + numerator * d)
            c = _not_zero(1 + numerator / c)
            value *= d * c
        if abs(d * c - 1) < _ENOUGH * 4:
            return value
    raise ArithmeticError(f"the continued fraction did not settle at a {a!r}, b {b!r}, x {x!r}")


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
