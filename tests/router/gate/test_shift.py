"""Thresholds that keep their word among calls of kinds that no log held."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.gate.selective import GRID
from router.gate.shift import floor, mixed

SHARES = st.floats(0, 0.9)
CONFIDENCES = st.lists(st.floats(0, 1), max_size=50)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60), CONFIDENCES, SHARES)
def test_calls_of_unseen_kinds_stand_among_the_others(
    pairs: list[tuple[float, bool]], unseen: list[float], share: float
) -> None:
    both = mixed(pairs, unseen, share)

    added = both[len(pairs) :]
    assert both[: len(pairs)] == pairs
    assert all(confidence in unseen and not agreed for confidence, agreed in added)
    if unseen:
        assert len(added) == round(len(pairs) * share / (1 - share))


def test_they_are_taken_evenly() -> None:
    both = mixed([(0.9, True)] * 8, [0.1, 0.2, 0.3, 0.4], 0.2)

    assert [confidence for confidence, _ in both[8:]] == [0.2, 0.4]


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0])
def test_other_shares_are_refused(share: float) -> None:
    with pytest.raises(ValueError, match=str(share)):
        mixed([], [], share)


def test_without_knowledge_of_unseen_kinds_there_is_no_floor() -> None:
    assert floor([(0.9, True)] * 100, [], 0.95) == 0.0


def test_the_floor_stands_above_the_unseen() -> None:
    assert floor([(0.97, True)] * 1000, [0.3, 0.5, 0.7], 0.95) == 0.75


def test_with_few_calls_the_floor_is_what_they_show() -> None:
    assert floor([(0.97, True)] * 12, [0.3, 0.5, 0.7], 0.95) == 0.75


def test_where_nothing_keeps_the_target_there_is_no_floor() -> None:
    assert floor([(0.9, False)] * 100, [0.95], 0.95) == 0.0


def test_the_promise_holds_when_the_share_of_unseen_calls_rises() -> None:
    generator = random.Random(7)
    pairs = [(c, generator.random() < c) for c in (generator.betavariate(8, 1) for _ in range(3000))]
    unseen = [generator.betavariate(2, 4) for _ in range(200)]

    threshold = floor(pairs, unseen, 0.95)

    live = [(c, generator.random() < c) for c in (generator.betavariate(8, 1) for _ in range(8000))]
    live += [(generator.betavariate(2, 4), False) for _ in range(2000)]
    answered = [agreed for confidence, agreed in live if confidence >= threshold]
    assert threshold in GRID
    assert sum(answered) / len(answered) >= 0.95
