"""The linear part of a head: a regression from vectors to answers, its penalty chosen by cross-validation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from router.encoder import Vectors
from serving.heads.model import Floats, Labels

OTHER: Final = -1
"""Label of an example whose answer is not in the set."""
MANY: Final = 20
"""Answers from which on a fit takes too long to try several, and taking some out makes calls of unseen kinds; a few
answers may well be all there are."""

_STEPS: Final = 300
_TOLERANCE: Final = 2e-5
"""Of the gradient, which is small from the start where vectors are long and thin."""
_L1_TOLERANCE: Final = 1e-3
"""Of the sum of violations; looser ones miss the one word among many that decides where examples are few."""
_SPARSE: Final = 0.5
"""Share of numbers other than 0 below which vectors are trained on as sparse ones."""
_FOLDS: Final = 4
_COMPARED: Final = 2_000
"""Examples that penalties are compared on, at most: more would tell no more apart."""
_SEED: Final = 20261123


@dataclass(frozen=True, slots=True)
class Examples:
    """Encoded texts and the numbers of their answers."""

    vectors: Vectors
    labels: Labels

    def take(self, chosen: NDArray[Any]) -> Examples:
        """Some of them, by mask or number."""
        return Examples(self.vectors[chosen], self.labels[chosen])

    @property
    def inside(self) -> Examples:
        """Those whose answer is in the set."""
        return self.take(self.labels != OTHER)


@dataclass(frozen=True, slots=True)
class Penalty:
    """What keeps the weights small. Vectors have length 1, so that it does not depend on the encoder."""

    norm: Literal["l1", "l2"]
    """`l1` keeps few features: right where a word or two decide, such as whether a text says that it is urgent."""
    strength: float
    """Inverse of the penalty, scikit-learn's C."""


PENALTIES: Final = (Penalty("l2", 20.0), Penalty("l2", 200.0), Penalty("l1", 200.0))
"""The first is taken where nothing tells them apart."""


@dataclass(frozen=True, slots=True)
class Linear:
    """Centre (D,), weights (K, D) and bias (K,): the answer whose score is highest is given."""

    centre: Floats
    weights: Floats
    bias: Floats


@dataclass(frozen=True, slots=True)
class Validated:
    """How a penalty did on examples that were left out of training."""

    penalty: Penalty
    accuracy: float
    examples: int
    """0 where there was nothing to compare."""

    @property
    def error(self) -> float:
        """Standard error of the accuracy."""
        return float(np.sqrt(self.accuracy * (1 - self.accuracy) / max(self.examples, 1)))


def validated(examples: Examples, answers: int) -> Validated:
    """The penalty that does best in cross-validation; the first, unseen, where answers are many, one, or too rare."""
    inside = examples.inside
    inside = inside.take(np.random.default_rng(_SEED).permutation(len(inside.labels))[:_COMPARED])
    counts = np.bincount(inside.labels, minlength=answers)
    if not 1 < answers < MANY or counts.min() < _FOLDS:
        return Validated(PENALTIES[0], 0.0, 0)
    with one_thread():
        found = [
            Validated(penalty, _accuracy(inside, answers, penalty), len(inside.labels))
            for penalty in PENALTIES
        ]
    return max(found, key=lambda each: each.accuracy)


def one_thread() -> AbstractContextManager[Any]:
    """No threads in linear algebra while it lasts: on fits as small as these they wait for each other, and on a machine
    that is busy otherwise ten times as long as one takes alone."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  (an extra)

    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits


def regression(examples: Examples, answers: int, penalty: Penalty) -> Linear:
    """Scores of answers, from examples whose answers are all in the set and which have some of each."""
    from scipy.sparse import csr_array  # noqa: PLC0415  (an extra)
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  (an extra)
    from sklearn.multiclass import OneVsRestClassifier  # noqa: PLC0415  (an extra)

    dimensions = examples.vectors.shape[1]
    centre: Floats = np.zeros(dimensions, np.float32)
    if answers == 1:
        return Linear(centre, np.zeros((1, dimensions), np.float32), np.zeros(1, np.float32))
    given: Any = csr_array(examples.vectors)
    if given.nnz > _SPARSE * examples.vectors.size:
        centre = examples.vectors.mean(axis=0).astype(np.float32)
        given = examples.vectors - centre
    if penalty.norm == "l2":
        fitted = LogisticRegression(C=penalty.strength, max_iter=_STEPS, tol=_TOLERANCE)
        weights, bias = _rows([fitted.fit(given, examples.labels)])
    else:
        one = LogisticRegression(
            C=penalty.strength, max_iter=_STEPS, tol=_L1_TOLERANCE, l1_ratio=1, solver="liblinear"
        )
        weights, bias = _rows(OneVsRestClassifier(one).fit(given, examples.labels).estimators_)
    if answers == 2:  # one row tells two answers apart
        weights = np.vstack((-weights, weights)) / np.float32(2)
        bias = np.concatenate((-bias, bias)) / np.float32(2)
    return Linear(centre, weights, bias)


def _rows(fitted: list[Any]) -> tuple[Floats, Floats]:
    return (
        np.concatenate([each.coef_ for each in fitted]).astype(np.float32),
        np.concatenate([each.intercept_ for each in fitted]).astype(np.float32),
    )


def _accuracy(examples: Examples, answers: int, penalty: Penalty) -> float:
    right = 0
    for training, rest in _parts(examples):
        linear = regression(training, answers, penalty)
        scores = (rest.vectors - linear.centre) @ linear.weights.T + linear.bias
        right += int((scores.argmax(axis=1) == rest.labels).sum())
    return right / len(examples.labels)


def _parts(examples: Examples) -> Iterator[tuple[Examples, Examples]]:
    """Training and rest, fold by fold, each with its share of every answer."""
    order = np.argsort(examples.labels, kind="stable")
    folds = np.empty(len(order), np.int64)
    folds[order] = np.arange(len(order)) % _FOLDS
    for fold in range(_FOLDS):
        yield examples.take(folds != fold), examples.take(folds == fold)
