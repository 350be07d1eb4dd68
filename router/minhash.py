"""MinHash: how alike two sets are, estimated from short signatures of one length (Broder, SEQUENCES 1997)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
from numpy.typing import NDArray

SIZE: Final = 64
"""Numbers in a signature: the estimate's standard error is at most 1/16."""

Signature = NDArray[np.uint32]
"""Shape (SIZE,)."""

_SEED: Final = 2506_02153


def _factors() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    random = np.random.Generator(np.random.PCG64(_SEED))
    high = np.iinfo(np.uint64).max
    return (
        random.integers(1, high, SIZE, dtype=np.uint64) | np.uint64(1),
        random.integers(0, high, SIZE, dtype=np.uint64),
    )


class MinHash:
    """Signs sets of 32-bit numbers; every instance signs alike."""

    def __init__(self) -> None:
        self._multiply, self._add = _factors()

    def sign(self, members: Collection[int]) -> Signature:
        """The signature of a set; of an empty one all ones."""
        if not members:
            return np.full(SIZE, np.iinfo(np.uint32).max, np.uint32)
        values = np.fromiter(members, np.uint64, len(members))
        # multiply-add-shift: the high half of a product modulo 2^64 is a hash that numpy takes in one go
        hashed = (values[:, None] * self._multiply + self._add) >> np.uint64(32)
        least: Signature = hashed.min(axis=0).astype(np.uint32)
        return least


def likeness(one: Signature, others: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Estimated Jaccard index of one set with each of several; `others` has shape (sets, SIZE)."""
    result: NDArray[np.float64] = (others == one).mean(axis=1, dtype=np.float64)
    return result
