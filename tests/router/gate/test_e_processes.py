from __future__ import annotations

import json
import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.gate.certification import Certification
from router.gate.fall import FallDetector

targets = st.floats(0.5, 0.99)
histories = st.lists(st.booleans(), max_size=60)


def certification(target: float, history: Iterable[bool]) -> Certification:
    state = Certification(target)
    for agreed in history:
        state = state.after(agreed)
    return state


def detector(target: float, history: Iterable[bool]) -> FallDetector:
    state = FallDetector(target)
    for good in history:
        state = state.after(good)
    return state


@given(targets, histories, st.floats(0, 1))
def test_certification_is_a_supermartingale_under_the_whole_null(
    target: float, history: list[bool], part: float
) -> None:
    now = certification(target, history)
    agreement = part * target
    expected = agreement * math.exp(now.after(True).log_e) + (1 - agreement) * math.exp(
        now.after(False).log_e
    )
    assert expected <= math.exp(now.log_e) * (1 + 1e-9)


@given(targets, histories, st.floats(0, 1))
def test_the_sum_of_a_detector_grows_by_one_at_most(target: float, history: list[bool], part: float) -> None:
    now = detector(target, history)
    share = target + part * (1 - target)
    expected = share * now.after(True).evidence + (1 - share) * now.after(False).evidence
    assert expected <= (now.evidence + 1) * (1 + 1e-9)


@given(targets, histories, histories)
def test_a_stored_state_goes_on_as_if_never_interrupted(
    target: float, before: list[bool], after: list[bool]
) -> None:
    stored = json.loads(json.dumps(certification(target, before).to_dict()))
    resumed = Certification.from_dict(stored)
    stored = json.loads(json.dumps(detector(target, before).to_dict()))
    watch = FallDetector.from_dict(stored)
    for agreed in after:
        resumed, watch = resumed.after(agreed), watch.after(agreed)
    assert resumed == certification(target, before + after)
    assert watch == detector(target, before + after)


@given(targets, histories)
def test_agreement_never_speaks_against_an_understudy(target: float, history: list[bool]) -> None:
    assert (
        certification(target, history).after(True).log_e >= certification(target, history).after(False).log_e
    )
    assert detector(target, history).after(True).evidence <= detector(target, history).after(False).evidence


def test_a_level_once_reached_stays_reached() -> None:
    state = certification(0.95, [True] * 100)
    assert state.certified(0.05)
    worse = certification(0.95, [True] * 100 + [False] * 50)
    assert worse.log_e < 0
    assert worse.certified(0.05)
    assert worse.pairs == 150


def test_a_fall_after_a_long_good_run_is_caught_as_fast_as_at_the_start() -> None:
    bad = [False, True] * 15
    late = detector(0.95, [True] * 5000 + bad)
    assert late.fallen(1000)
    assert not detector(0.95, [True] * 5000).fallen(1000)


def test_a_detector_never_overflows() -> None:
    state = detector(0.99, [False] * 2000)
    assert math.isfinite(state.evidence)
    assert state.fallen(1e12)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"target": 1.0}, "target"),
        ({"target": "0.9"}, "target"),
        ({"pairs": -1}, "pairs"),
        ({"bad": 0.5}, "bad"),
        ({"sums": [1.0]}, "sums"),
        ({"sums": "1"}, "sums"),
        ({"sums": [None] * 4}, "sums"),
        ({"peak": True}, "peak"),
    ],
)
def test_a_broken_state_is_refused_by_name(change: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        FallDetector.from_dict({**FallDetector(0.95).to_dict(), **change})


def test_levels_are_checked() -> None:
    with pytest.raises(ValueError, match="alpha"):
        Certification(0.9).certified(0.0)
    with pytest.raises(ValueError, match="run_length"):
        FallDetector(0.9).fallen(0)
