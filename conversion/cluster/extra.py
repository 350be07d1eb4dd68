"""What clustering needs of scipy, which the extra `convert` brings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class ExtraMissing(Exception):
    """A package that the extra `convert` brings is not installed; the message says how to install it."""


def optimal_matching(gains: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """Rows and columns of the assignment with the largest total gain; raises ExtraMissing."""
    try:
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415  # an extra, loaded when it is needed
    except ImportError:
        raise ExtraMissing("clustering needs scipy: pip install 'understudy[convert]'") from None
    rows: Any
    columns: Any
    rows, columns = linear_sum_assignment(gains, maximize=True)
    return rows.tolist(), columns.tolist()
