"""The seam for encoders: texts go in, vectors of one length come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape (texts, dimensions); each row has length 1, or is zero where the text says nothing."""


class Encoder(Protocol):
    """Turns texts into vectors whose dot products say how alike the texts are; the same text gives the same vector."""

    @property
    def name(self) -> str:
        """Names the method, its size and the version of its weights, such as `hashed-ngrams-4096`."""
        ...

    @property
    def dimensions(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> Vectors: ...
