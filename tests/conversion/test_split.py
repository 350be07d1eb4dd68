"""The split: no session on two sides, nothing of one part later than the beginning of the next."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from conversion.example import Example
from conversion.split import Shares, one_a_session, split
from conversion.task import Task
from wire.answer import Answer

_TASK = Task("t", "t", "label", 1, 1.0)


def _example(number: int, session: str, started: int) -> Example:
    return Example(f"{number:04d}", session, started, "chat.completions", {}, Answer("yes"))


def test_a_hundred_sessions_are_split_by_time() -> None:
    data = split(_TASK, [_example(n, str(n), 1000 - n) for n in range(100)])
    assert [len(part) for part in (data.training, data.calibration, data.held_out)] == [60, 15, 25]
    assert data.training[0].started == 901
    assert data.held_out[-1].started == 1000


def test_one_session_is_all_training() -> None:
    data = split(_TASK, [_example(n, "only", n) for n in range(50)])
    assert (len(data.training), len(data.calibration), len(data.held_out)) == (50, 0, 0)


def test_nothing_splits_into_nothing() -> None:
    assert split(_TASK, []).training == ()


def test_a_session_that_goes_on_stays_where_it_began_and_its_late_calls_are_left_out() -> None:
    calls = [_example(n, str(n), n) for n in range(100)]
    data = split(_TASK, [*calls, _example(200, "0", 99)])
    assert {example.call_id for example in data.training} == {f"{n:04d}" for n in range(59)}


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1000)), max_size=80),
    st.floats(0.1, 0.8),
    st.floats(0.0, 0.2),
)
def test_no_part_sees_another(calls: list[tuple[int, int]], training: float, calibration: float) -> None:
    examples = [_example(n, str(session), started) for n, (session, started) in enumerate(calls)]
    data = split(_TASK, examples, Shares(training, calibration))
    parts = (data.training, data.calibration, data.held_out)
    sessions = [{example.session for example in part} for part in parts]
    assert not sessions[0] & sessions[1]
    assert not (sessions[0] | sessions[1]) & sessions[2]
    filled = [part for part in parts if part]
    for earlier, later in pairwise(filled):
        assert max(each.started for each in earlier) <= min(each.started for each in later)
    if examples:
        assert data.training


@given(st.lists(st.integers(0, 5), max_size=30))
def test_one_of_each_session(sessions: list[int]) -> None:
    kept = one_a_session([_example(n, str(session), n) for n, session in enumerate(sessions)])
    assert sorted(each.session for each in kept) == sorted({str(session) for session in sessions})
