from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.gate.clopper_pearson import lower_bound
from router.gate.selective import GRID, select


def held_out(count: int, seed: int) -> list[tuple[float, bool]]:
    """Calls whose agreement is their confidence."""
    random = Random(seed)
    confidences = [random.uniform(0.5, 1) for _ in range(count)]
    return [(confidence, random.random() < confidence) for confidence in confidences]


def test_the_threshold_lies_where_the_answered_part_reaches_the_target() -> None:
    found = select(held_out(5000, 1), target=0.9, confidence=0.95)
    assert found.threshold is not None
    assert 0.8 <= found.threshold <= 0.9  # above 0.8 agreement is 0.9 on average
    assert found.lower >= 0.9
    assert "answers from confidence" in found.sentence


def test_what_agrees_throughout_is_answered_throughout() -> None:
    found = select([(0.1, True)] * 100, target=0.95, confidence=0.95)
    assert (found.threshold, found.coverage) == (0.0, 1.0)


@pytest.mark.parametrize("pairs", [[], [(0.99, True)] * 12, [(0.99, False)] * 500])
def test_none_is_a_proper_answer(pairs: list[tuple[float, bool]]) -> None:
    found = select(pairs, target=0.95, confidence=0.95)
    assert (found.threshold, found.coverage, found.answered) == (None, 0.0, 0)
    assert "no threshold" in found.sentence


def test_false_thresholds_pass_no_more_often_than_stated() -> None:
    wrong = 0
    for seed in range(300):
        found = select(held_out(400, seed), target=0.9, confidence=0.9)
        wrong += found.threshold is not None and found.threshold < 0.8
    assert wrong <= 30


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=200),
    st.floats(0.5, 0.9),
    st.integers(1, 40),
)
def test_what_is_chosen_meets_its_own_bound(
    pairs: list[tuple[float, bool]], target: float, starts: int
) -> None:
    found = select(pairs, target, 0.9, starts=starts)
    if found.threshold is not None:
        answered = [agreed for confidence, agreed in pairs if confidence >= found.threshold]
        assert (found.answered, found.agreed) == (len(answered), sum(answered))
        assert target <= found.lower <= lower_bound(found.agreed, found.answered, 0.1) + 1e-12


@pytest.mark.parametrize(
    ("grid", "starts", "named"), [((), 5, "grid"), ((1.5,), 5, "grid"), (GRID, 0, "starts")]
)
def test_bad_settings_are_named(grid: tuple[float, ...], starts: int, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        select([], 0.9, 0.9, grid, starts)
