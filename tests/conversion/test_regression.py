"""The regression of a head: which penalty suits which answers, and what cannot be compared."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from conversion.regression import MANY, OTHER, PENALTIES, Examples, regression, validated

SEED = 5


def sparse(count: int, deciding: int) -> Examples:
    """Texts of 120 words out of 500, each with or without the one word that decides."""
    generator = np.random.default_rng(SEED)
    labels = generator.integers(2, size=count).astype(np.int32)
    vectors = np.zeros((count, 500), np.float32)
    for row, label in enumerate(labels):
        vectors[row, generator.choice(499, 120, replace=False) + 1] = 1
        if label:
            vectors[row, :deciding] = 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Examples(vectors, labels)


def score(examples: Examples, answers: int, norm: str) -> float:
    penalty = next(each for each in PENALTIES if each.norm == norm)
    linear = regression(examples, answers, penalty)
    scores = (examples.vectors - linear.centre) @ linear.weights.T + linear.bias
    assert linear.weights.shape == (answers, examples.vectors.shape[1])
    return float((scores.argmax(axis=1) == examples.labels).mean())


def test_one_word_that_decides_is_found_by_the_penalty_that_keeps_few() -> None:
    found = validated(sparse(120, 1), 2)

    assert found.penalty.norm == "l1"
    assert found.accuracy > 0.95
    assert found.examples == 120


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("answers", [2, 3])
def test_both_penalties_learn_two_and_three_answers(norm: str, answers: int) -> None:
    generator = np.random.default_rng(SEED)
    labels = np.arange(30, dtype=np.int32) % answers
    vectors = np.eye(answers, 8, dtype=np.float32)[labels] + generator.normal(0, 0.05, (30, 8)).astype(
        np.float32
    )

    assert score(Examples(vectors, labels), answers, norm) == 1


@pytest.mark.parametrize(
    ("labels", "answers"),
    [
        (np.zeros(40), 1),
        (np.arange(40) % MANY, MANY),
        (np.array([0] * 38 + [1] * 2), 2),
        (np.array([OTHER] * 40), 2),
        (np.array([]), 2),
    ],
)
def test_what_cannot_be_compared_takes_the_first(labels: NDArray[np.float64], answers: int) -> None:
    vectors = np.ones((len(labels), 4), np.float32)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = validated(Examples(vectors, labels.astype(np.int32)), answers)

    assert (found.penalty, found.examples) == (PENALTIES[0], 0)
