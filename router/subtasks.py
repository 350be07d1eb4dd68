"""Sub-tasks of a broad prompt, told apart by the last human text, with rejection of what is like none of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router.encoder import Encoder, Vectors
from router.skeleton import ends
from wire import shape

READ: Final = 1_200
"""Characters of a text that are encoded: its start and its end."""

KEPT: Final = 2_048
"""Texts whose vectors are remembered."""


@dataclass(frozen=True, slots=True)
class Subtasks:
    """The sub-tasks of one broad prompt: prototypes on the unit sphere, each with the likeness it asks for.

    A class accepts a text whose likeness to it is not below all but the share alpha of its calibration texts
    (split-conformal; Vovk et al. 2005), so that about alpha of a class's own texts go upstream for nothing."""

    tasks: tuple[str, ...]
    prototypes: Vectors
    """Shape (prototypes, dimensions); `tasks` names the sub-task of each, and may name one several times."""
    thresholds: NDArray[np.float32]
    """Shape (prototypes,); the least likeness that each one's sub-task accepts."""

    def classify(self, vector: NDArray[np.float32]) -> tuple[str, float] | None:
        """The sub-task of a text and how much likelier it is than the next, from 0.5 to 1; None for none of them."""
        likeness = self.prototypes @ vector
        best = int(likeness.argmax())
        if likeness[best] < self.thresholds[best]:
            return None
        task = self.tasks[best]
        rivals = [place for place, other in enumerate(self.tasks) if other != task]
        margin = float(likeness[best] - likeness[rivals].max()) if rivals else 1.0
        return task, 1 / (1 + float(np.exp(-10 * margin)))


class HumanTexts:
    """Vectors of last human texts; those seen last are remembered; safe for one thread."""

    def __init__(self, encoder: Encoder, kept: int = KEPT) -> None:
        self._encoder = encoder
        self._kept = kept
        self._vectors: OrderedDict[tuple[int, int], NDArray[np.float32]] = OrderedDict()

    def vector(self, endpoint: shape.Endpoint, body: Mapping[str, Any]) -> NDArray[np.float32]:
        """The vector of what the user said last; zeros where nobody said anything."""
        said = human_text(endpoint, body)
        key = hash(said), len(said)
        vector = self._vectors.get(key)
        if vector is None:
            vector = self._vectors[key] = self._encoder.encode([said])[0]
            if len(self._vectors) > self._kept:
                self._vectors.popitem(last=False)
        else:
            self._vectors.move_to_end(key)
        return vector


def human_text(endpoint: shape.Endpoint, body: Mapping[str, Any]) -> str:
    """What the user said last, its middle left out when it is long."""
    return ends(shape.last_user_text(endpoint, body), READ // 2, READ // 2)


def prototypes(vectors: Vectors, classes: Sequence[int], count: int) -> Vectors:
    """The mean direction of each class; shape (count, dimensions)."""
    belongs = np.zeros((count, len(vectors)), np.float32)
    belongs[np.asarray(classes, np.intp), np.arange(len(vectors))] = 1
    sums = belongs @ vectors
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    directions: Vectors = (sums / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return directions
