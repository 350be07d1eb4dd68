"""Where calls lie beside each other, for the eye: the cluster map of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from conversion.example import Example
from router.encoders.hashed_ngrams import HashedNgrams
from wire import shape

_DIMENSIONS: Final = 512
_MOST: Final = 600
"""Calls that are shown, spread over the log."""
_LONGEST: Final = 1500
"""Characters of instructions, and of what was said last, that count."""


def landscape(examples: Sequence[Example]) -> Sequence[tuple[int, float, float]]:
    """Place in `examples`, x and y of some calls: the two directions in which what was asked and what was done differ
    most (principal components of hashed n-grams), the same for the same examples."""
    places = range(0, len(examples), max(1, -(-len(examples) // _MOST)))
    if len(places) < 2:
        return [(place, 0.0, 0.0) for place in places]
    vectors = HashedNgrams(_DIMENSIONS).encode([_text(examples[place]) for place in places])
    centred = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2] * np.sign(
        axes[:2].sum(axis=1, keepdims=True) + 1e-12
    )  # a decomposition leaves the signs open
    found = centred @ axes.T
    return [
        (place, round(float(x), 4), round(float(y), 4)) for place, (x, y) in zip(places, found, strict=True)
    ]


def _text(example: Example) -> str:
    endpoint, request = example.endpoint, example.request
    done = " ".join(call.name for call in example.answer.tool_calls)
    parts = (
        shape.system_text(endpoint, request)[:_LONGEST],
        " ".join(shape.tool_names(endpoint, request)),
        shape.last_user_text(endpoint, request)[:_LONGEST],
        done,
    )
    return "\n".join(parts)
