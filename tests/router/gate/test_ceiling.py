from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.gate.ceiling import ceiling


@pytest.mark.parametrize(
    ("agreed", "pairs", "lowered"),
    [(0, 0, False), (10, 99, False), (100, 100, False), (94, 100, False), (85, 100, True), (850, 1000, True)],
)
def test_only_a_clear_lack_of_self_agreement_lowers_the_target(
    agreed: int, pairs: int, lowered: bool
) -> None:
    found = ceiling(agreed, pairs, target=0.95, alpha=0.01)
    assert found.lowered is lowered
    assert ("instead of 0.95" in found.sentence) is lowered


@given(st.integers(100, 2000), st.floats(0, 1), st.floats(0.6, 0.99))
def test_it_lies_between_what_was_seen_and_the_target(pairs: int, part: float, target: float) -> None:
    agreed = round(pairs * part)
    found = ceiling(agreed, pairs, target, 0.01)
    assert min(target, agreed / pairs) <= found.effective <= target
    assert found.effective >= 0.5


def test_nothing_goes_below_the_floor() -> None:
    assert ceiling(0, 500, target=0.95, alpha=0.01, floor=0.7).effective == 0.7


def test_a_minimum_is_needed() -> None:
    with pytest.raises(ValueError, match="minimum"):
        ceiling(1, 2, 0.9, 0.01, minimum=0)
