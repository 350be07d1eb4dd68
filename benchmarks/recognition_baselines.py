"""Simple ways to recognise a call, beside ours: prompts hashed, prompts embedded, the last message embedded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conversion.example import Example
from router.encoder import Encoder, Vectors
from wire import shape

Assign = Callable[[Sequence[Example], int], list[str]]
"""A cluster for each example, given how many types there really are."""

Recognise = Callable[[Example], str | None]
"""The type of a call, None when it is unknown."""

Fit = Callable[[Sequence[Example], Sequence[str]], Recognise]


def system_hash(example: Example) -> str:
    """Hash of the exact system prompt; of the first user text where there is none."""
    body = example.request
    turns = shape.turns(example.endpoint, body)
    said = shape.system_text(example.endpoint, body, turns) or shape.user_text(turns)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def instructions(example: Example) -> str:
    """The system prompt and the first user text."""
    turns = shape.turns(example.endpoint, example.request)
    system = shape.system_text(example.endpoint, example.request, turns)
    return f"{system}\n{shape.user_text(turns)}"


def last_user(example: Example) -> str:
    """What the user said last."""
    return shape.last_user_text(example.endpoint, example.request)


def by_hash(examples: Sequence[Example], types: int) -> list[str]:
    """One cluster for each exact prompt."""
    return [system_hash(example) for example in examples]


@dataclass(frozen=True, slots=True)
class KMeans:
    """k-means on embeddings, told how many types there really are."""

    encoder: Encoder
    read: Callable[[Example], str]
    seed: int

    def __call__(self, examples: Sequence[Example], types: int) -> list[str]:
        """The cluster of each example."""
        from sklearn.cluster import KMeans as Clusters  # noqa: PLC0415

        vectors = self.encoder.encode([self.read(example) for example in examples])
        found: Any = Clusters(types, n_init=1, random_state=self.seed).fit_predict(vectors)
        return [str(each) for each in found.tolist()]


def fit_hash(examples: Sequence[Example], types: Sequence[str]) -> Recognise:
    """Known prompts by their exact hash."""
    known = {system_hash(example): each for example, each in zip(examples, types, strict=True)}
    return lambda example: known.get(system_hash(example))


@dataclass(frozen=True, slots=True)
class Centroids:
    """The nearest type's mean embedding; unknown where it is farther than all but 5% of the known calls are.

    Unlike ours, it is told the types of what it learns from."""

    encoder: Encoder
    read: Callable[[Example], str]

    def __call__(self, examples: Sequence[Example], types: Sequence[str]) -> Recognise:
        """Learn from calls and their types."""
        names = sorted(set(types))
        vectors = self.encoder.encode([self.read(example) for example in examples])
        number = {name: row for row, name in enumerate(names)}
        centres = np.zeros((len(names), vectors.shape[1]), np.float32)
        np.add.at(centres, [number[each] for each in types], vectors)
        centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
        least = float(np.quantile((vectors @ centres.T).max(axis=1), 0.05))
        return lambda example: self._nearest(example, names, centres, least)

    def _nearest(self, example: Example, names: Sequence[str], centres: Vectors, least: float) -> str | None:
        likeness = centres @ self.encoder.encode([self.read(example)])[0]
        best = int(likeness.argmax())
        return names[best] if likeness[best] >= least else None
