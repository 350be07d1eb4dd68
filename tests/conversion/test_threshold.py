"""The threshold: where it lies for candidates of known quality, and how many pairs a certificate takes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion.threshold import choose, needed
from router.gate.clopper_pearson import lower_bound


def test_a_candidate_that_is_always_right_answers_all() -> None:
    assert choose([(0.1 * (n % 10), True) for n in range(100)], 200, 0.95, 0.05) == 0.0


def test_a_candidate_that_is_right_when_it_is_sure_answers_when_it_is_sure() -> None:
    pairs = [(0.95, True)] * 150 + [(0.3, False)] * 25 + [(0.3, True)] * 25
    threshold = choose(pairs, 300, 0.95, 0.05)
    assert threshold is not None
    assert 0.3 < threshold <= 0.95


def test_none_for_a_candidate_that_is_never_right() -> None:
    assert choose([(0.9, False)] * 300, 300, 0.95, 0.05) is None


@pytest.mark.parametrize("pairs", [[], [(-1.0, False)] * 50])
def test_none_without_answers(pairs: list[tuple[float, bool]]) -> None:
    assert choose(pairs, 100, 0.95, 0.05) is None


def test_none_when_the_gate_will_see_too_few() -> None:
    assert choose([(1.0, True)] * 100, 58, 0.95, 0.05) is None
    assert choose([(1.0, True)] * 100, 59, 0.95, 0.05) is not None


def test_the_choice_is_certified_more_often_than_not_and_covers_more_than_the_surest_part() -> None:
    """Right with the probability that it says: at 0.95 it should answer what is clearly surer than that."""
    rng = random.Random(7)
    certified = covered = 0
    for _ in range(100):
        calibration, held_out = ([_pair(rng) for _ in range(size)] for size in (300, 500))
        threshold = choose(calibration, 500, 0.9, 0.05)
        assert threshold is not None
        answered = [agreed for sure, agreed in held_out if sure >= threshold]
        certified += lower_bound(sum(answered), len(answered), 0.05) >= 0.9
        covered += len(answered)
    assert certified >= 50
    assert covered / 100 / 500 > 0.2


def _pair(rng: random.Random) -> tuple[float, bool]:
    sure = rng.random() ** 0.3
    return sure, rng.random() < sure


@given(st.integers(1, 300), st.sampled_from([0.8, 0.9, 0.95]), st.sampled_from([0.05, 0.01]))
def test_needed_is_the_least_that_passes(answered: int, target: float, alpha: float) -> None:
    least = needed(answered, target, alpha)
    if least is None:
        assert lower_bound(answered, answered, alpha) < target
    else:
        assert lower_bound(least, answered, alpha) >= target
        assert least == 0 or lower_bound(least - 1, answered, alpha) < target


def test_who_cannot_tell_how_sure_it_is_answers_all_or_nothing() -> None:
    assert choose([(0.0, True)] * 200, 200, 0.95, 0.05) == 0.0
    assert choose([(0.0, place % 3 > 0) for place in range(200)], 200, 0.95, 0.05) in (None, 0.0)
    mixed = [(0.0, place % 3 > 0) for place in range(200)] + [(0.9, True)] * 200
    assert (choose(mixed, 400, 0.95, 0.05) or 0.0) > 0
