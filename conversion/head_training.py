"""Training a head: a linear classifier, and how far it may be trusted on texts like and unlike those it learned from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conversion.regression import MANY, OTHER, PENALTIES, Examples, Penalty, one_thread, regression, validated
from router.gate.shift import UNSEEN_SHARE
from serving.heads.model import FEATURES, Floats, HeadModel, Labels

_PROTOTYPES: Final = 8
"""Of one answer, at most."""
_NUMBERS: Final = 2_000_000
"""In all prototypes together, about: they are read for every call."""
_GROUPS: Final = 10
"""Parts of the answers that are taken out in turn."""
_UNSEEN: Final = 3_000
"""Calls of answers taken out that are asked about, at most."""
_FOLDS: Final = 5
_ENOUGH: Final = 300
"""Calibration calls from which on the classifier need not be trained again for its trust."""
_SURE: Final = 30.0
_KEPT: Final = 200
_SEED: Final = 20261122


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained head."""

    model: HeadModel
    unseen: tuple[float, ...]
    """Confidences in answers to calls of kinds it never saw, from low to high."""
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Judged:
    """What speaks for and against answers, and which were right."""

    features: Floats
    right: NDArray[np.bool_]


def fit(training: Examples, calibration: Examples, answers: int, penalty: Penalty | None = None) -> Fitted:
    """A head of `answers` answers; raises ValueError where an answer has no example.

    Without a penalty the one that does best in cross-validation is taken."""
    penalty = penalty or validated(training, answers).penalty
    with one_thread() if answers < MANY else nullcontext():
        return trusted(classifier(training, answers, penalty), training, calibration, penalty)


def trusted(
    model: HeadModel, training: Examples, calibration: Examples, penalty: Penalty = PENALTIES[0]
) -> Fitted:
    """A classifier with the probability that it is right, learned by a second logistic regression.

    It weighs what speaks for and against the likeliest answer (`serving.heads.model.FEATURES`), on calls that the
    classifier did not learn from and on calls of kinds that it never saw, which are UNSEEN_SHARE of all. Where answers
    are many, a part of them is taken out of the head at a time, and it is asked about their calls: whatever it says is
    wrong. Where they are few, vectors half one thing and half another stand in, and vectors with their numbers out of
    order: trust learns from these too, but no threshold is set for them, since no call need look like them."""
    known = _judge(model, calibration)
    if len(calibration.labels) < _ENOUGH:
        known = _together(known, *_refitted(training, len(model.weights), penalty))
    unseen = _judge_unseen(model, training)
    trust, bias = _trust(known, unseen)
    model = replace(model, trust=trust, trust_bias=bias)
    confidences = np.sort(model.confidence(unseen.features)) if len(model.weights) >= MANY else np.zeros(0)
    kept = confidences[np.linspace(0, len(confidences) - 1, min(_KEPT, len(confidences))).astype(int)]
    facts = _facts(training, calibration, model, penalty)
    return Fitted(model, tuple(round(float(each), 4) for each in kept), facts)


def _facts(training: Examples, calibration: Examples, model: HeadModel, penalty: Penalty) -> dict[str, Any]:
    return {
        "penalty": f"{penalty.norm} {penalty.strength:g}",
        "training": len(training.labels),
        "calibration": len(calibration.labels),
        "unseen_share": UNSEEN_SHARE,
        "prototypes": len(model.owners),
        "trust": {name: round(float(value), 4) for name, value in zip(FEATURES, model.trust, strict=True)},
    }


def classifier(training: Examples, answers: int, penalty: Penalty = PENALTIES[0]) -> HeadModel:
    """A head without trust: logistic regression, and prototypes of each answer's calls.

    Raises ValueError where an answer has no example."""
    inside = training.inside
    counts = np.bincount(inside.labels, minlength=answers)
    if answers < 1 or not counts.all():
        raise ValueError(f"answer number {int(counts.argmin())} of {answers} has no example")
    linear = regression(inside, answers, penalty)
    prototypes, owners, typical = _prototypes(inside, answers)
    nothing = np.zeros(len(FEATURES), np.float32)
    return HeadModel(
        linear.centre,
        linear.weights,
        linear.bias,
        prototypes,
        owners,
        typical,
        nothing,
        np.zeros(1, np.float32),
    )


def _prototypes(examples: Examples, answers: int) -> tuple[Floats, Labels, Floats]:
    """Centres of each answer's texts, whose they are, and how near its texts commonly are to one."""
    dimensions = examples.vectors.shape[1]
    most = int(np.clip(_NUMBERS // (answers * dimensions), 1, _PROTOTYPES))
    found: list[Floats] = []
    typical = np.zeros(answers, np.float32)
    for answer in range(answers):
        vectors = examples.vectors[examples.labels == answer]
        centres = _centres(vectors, most)
        found.append(centres)
        typical[answer] = (vectors @ centres.T).max(axis=1).mean()
    owners = np.repeat(np.arange(answers), [len(each) for each in found]).astype(np.int32)
    return np.concatenate(found), owners, typical


def _centres(vectors: Floats, most: int) -> Floats:
    from sklearn.cluster import KMeans  # noqa: PLC0415  (an extra)

    different = np.unique(vectors, axis=0)
    if len(different) > most:
        clusters = KMeans(most, n_init=1, max_iter=20, random_state=_SEED).fit(vectors)
        different = clusters.cluster_centers_
    lengths = np.linalg.norm(different, axis=1, keepdims=True)
    centres: Floats = (different / np.maximum(lengths, 1e-9)).astype(np.float32)
    return centres


def _judge(model: HeadModel, examples: Examples) -> _Judged:
    reading = model.read(examples.vectors)
    return _Judged(reading.features, reading.labels == examples.labels)


def _refitted(training: Examples, answers: int, penalty: Penalty) -> Iterator[_Judged]:
    """Training calls judged by classifiers that did not learn from them."""
    folds = np.random.default_rng(_SEED).integers(_FOLDS, size=len(training.labels))
    for fold in range(_FOLDS):
        rest = training.take(folds != fold)
        if np.bincount(rest.inside.labels, minlength=answers).all():
            yield _judge(classifier(rest, answers, penalty), training.take(folds == fold))


def _judge_unseen(model: HeadModel, training: Examples) -> _Judged:
    """Calls on which the head can only be wrong, those whose answers are not in the set among them."""
    generator = np.random.default_rng(_SEED)
    others = training.vectors[training.labels == OTHER][:_UNSEEN]
    inside = training.inside
    made = _taken_out if len(model.weights) >= MANY else _blended
    found = [model.read(others).features, *made(model, inside, generator)]
    features = np.concatenate(found)
    return _Judged(features, np.zeros(len(features), np.bool_))


def _taken_out(model: HeadModel, examples: Examples, generator: np.random.Generator) -> Iterator[Floats]:
    """What the head sees in calls of answers that it is left without, part by part."""
    order = generator.permutation(len(model.weights))
    for group in range(_GROUPS):
        out = order[group::_GROUPS].astype(np.int32)
        vectors = examples.vectors[np.isin(examples.labels, out)]
        chosen = generator.permutation(len(vectors))[: _UNSEEN // _GROUPS]
        yield model.read(vectors[chosen], without=out).features


def _blended(model: HeadModel, examples: Examples, generator: np.random.Generator) -> Iterator[Floats]:
    """What the head sees half-way between calls with different answers, and in calls like none of them."""
    count = min(len(examples.labels), _UNSEEN)
    one = generator.integers(len(examples.labels), size=count)
    other = generator.integers(len(examples.labels), size=count)
    different = examples.labels[one] != examples.labels[other]
    between = examples.vectors[one[different]] + examples.vectors[other[different]]
    lengths = np.linalg.norm(between, axis=1, keepdims=True)
    yield model.read((between / np.maximum(lengths, 1e-9)).astype(np.float32)).features
    scrambled = generator.permutation(examples.vectors.shape[1])
    yield model.read(examples.vectors[one][:, scrambled]).features


def _trust(known: _Judged, unseen: _Judged) -> tuple[Floats, Floats]:
    """What each feature adds to the log odds of being right, and where they begin.

    No feature may count against an answer that it speaks for: what is far from everything that was seen would else be
    trusted, where the regression goes on beyond its data."""
    both = _together(known, unseen)
    spread = both.features.std(axis=0) + 1e-6
    share = UNSEEN_SHARE * len(known.right) / ((1 - UNSEEN_SHARE) * max(len(unseen.right), 1))
    weights = np.concatenate((np.ones(len(known.right)), np.full(len(unseen.right), share)))
    trust, bias = _monotone_regression(both.features / spread, both.right, weights)
    return (trust / spread).astype(np.float32), np.array([bias], np.float32)


def _monotone_regression(
    features: NDArray[Any], right: NDArray[np.bool_], weights: NDArray[Any]
) -> tuple[NDArray[Any], float]:
    """Logistic regression whose coefficients are at least 0, with a ridge penalty; and its intercept."""
    from scipy.optimize import minimize  # noqa: PLC0415  (an extra)

    signs = np.where(right, 1.0, -1.0)

    def loss(point: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        margins = signs * (features @ point[:-1] + point[-1])
        slopes = -weights * signs / (1 + np.exp(np.clip(margins, -_SURE, _SURE)))
        value = weights @ np.logaddexp(0, -margins) + point @ point / 2
        return float(value), np.append(slopes @ features, slopes.sum()) + point

    bounds = [(0, None)] * features.shape[1] + [(None, None)]
    found = minimize(loss, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds)
    return found.x[:-1], float(found.x[-1])


def _together(*judged: _Judged) -> _Judged:
    return _Judged(
        np.concatenate([each.features for each in judged]), np.concatenate([each.right for each in judged])
    )
