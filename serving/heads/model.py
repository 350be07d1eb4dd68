"""What a head knows, as arrays: a linear classifier, what its texts are like, and how far to trust the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from serving.heads.errors import HeadError

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]

FEATURES: Final = ("log odds", "margin", "energy", "alike", "ahead", "typical")
"""What `Reading.features` holds, in order; of each, more speaks for the answer."""

_TINY: Final = 1e-7
_MARGIN: Final = 20.0
_SURE: Final = 30.0
"""Log odds beyond which nothing changes."""
_FAR: Final = -1.0
"""Cosine with a prototype that is not there."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model sees in some texts."""

    labels: Labels
    """Numbers of the likeliest answers."""
    features: Floats
    """Shape (texts, len(FEATURES))."""


@dataclass(frozen=True, slots=True)
class HeadModel:
    """Reads vectors of an encoder; K answers, D dimensions, P prototypes (centres of what it learned from)."""

    centre: Floats
    """(D,): taken off every vector before it is classified."""
    weights: Floats
    """(K, D)"""
    bias: Floats
    """(K,)"""
    prototypes: Floats
    """(P, D), each of length 1"""
    owners: Labels
    """(P,): numbers of the answers that the prototypes belong to."""
    typical: Floats
    """(K,): how near texts of an answer commonly are to a prototype of it."""
    trust: Floats
    """(len(FEATURES),): what each feature adds to the log odds of being right; at least 0."""
    trust_bias: Floats
    """(1,)"""

    def read(self, vectors: Floats, without: Labels | None = None) -> Reading:
        """The likeliest answers, and what speaks for and against them; `without` some, as if it had never seen them."""
        scores: Floats = ((vectors - self.centre) @ self.weights.T + self.bias).astype(np.float32)
        likeness: Floats = vectors @ self.prototypes.T
        if without is not None:
            scores[:, without] = -np.inf
            likeness[:, np.isin(self.owners, without)] = _FAR
        labels = scores.argmax(axis=1).astype(np.int32)
        features = np.column_stack((_certainty(scores), self._nearness(likeness, labels)))
        return Reading(labels, features.astype(np.float32))

    def assess(self, vectors: Floats) -> tuple[Labels, Floats]:
        """The likeliest answers and the probability, from 0 to 1, that the LLM would give them."""
        reading = self.read(vectors)
        confidence = self.confidence(reading.features)
        confidence[~vectors.any(axis=1)] = 0.0  # a text that says nothing to the encoder
        return reading.labels, confidence

    def confidence(self, features: Floats) -> Floats:
        """The probability of being right, given what speaks for and against."""
        odds = np.clip(features @ self.trust + self.trust_bias[0], -_SURE, _SURE)
        found: Floats = (1 / (1 + np.exp(-odds))).astype(np.float32)
        return found

    def _nearness(self, likeness: Floats, labels: Labels) -> Floats:
        """Likeness to the answer's own prototypes, how far it is ahead of the others, and against what is typical of it."""
        same = self.owners[None, :] == labels[:, None]
        alike = np.where(same, likeness, _FAR).max(axis=1)
        other = np.where(same, _FAR, likeness).max(axis=1)
        return np.column_stack((alike, alike - other, alike - self.typical[labels]))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All it knows, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `to_arrays` gave; raises HeadError when arrays are missing or do not fit together."""
        missing = [each.name for each in fields(cls) if each.name not in arrays]
        if missing:
            raise HeadError(f"the head's arrays lack {missing[0]!r}; train it anew")
        model = cls(**{each.name: arrays[each.name] for each in fields(cls)})
        model.check()
        return model

    def check(self) -> None:
        """Raise HeadError unless the arrays fit together."""
        answers, dimensions = self.weights.shape if self.weights.ndim == 2 else (-1, -1)
        shapes = {
            "centre": (dimensions,),
            "bias": (answers,),
            "prototypes": (len(self.owners), dimensions),
            "typical": (answers,),
            "trust": (len(FEATURES),),
            "trust_bias": (1,),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                found = getattr(self, name).shape
                raise HeadError(f"the head's array {name!r} has shape {found}, not {shape}; train it anew")
        if not answers or not len(self.owners):
            raise HeadError("the head has no answers; train it anew")


def _certainty(scores: Floats) -> Floats:
    """Log odds of the likeliest answer, how far the next is behind, and the sum of all (its logarithm)."""
    ordered = np.sort(scores, axis=1)[:, ::-1]
    energy = ordered[:, 0] + np.log(np.exp(scores - ordered[:, :1]).sum(axis=1))
    share = np.exp(ordered[:, 0] - energy)
    odds = np.log(np.clip(share, _TINY, 1)) - np.log(np.clip(1 - share, _TINY, 1))
    margin = ordered[:, 0] - ordered[:, 1] if scores.shape[1] > 1 else np.zeros(len(scores))
    margin = np.minimum(margin, _MARGIN)  # the next may be none
    return np.column_stack((odds, margin, energy)).astype(np.float32)
