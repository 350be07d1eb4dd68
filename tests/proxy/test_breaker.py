"""The breaker, by a clock of the test's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.begins()
        breaker.failed()
    return breaker


def test_failures_in_a_row_open_it() -> None:
    breaker = Breaker(Clock())
    for _ in range(FAILURES - 1):
        breaker.failed()
        assert breaker.admits()
    breaker.succeeded()
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert (breaker.admits(), breaker.state) == (True, "closed")
    breaker.failed()
    assert (breaker.admits(), breaker.state) == (False, "open")


def test_after_the_pause_one_call_finds_out() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += FIRST_PAUSE
    assert (breaker.admits(), breaker.state) == (True, "half_open")
    breaker.begins()
    assert (breaker.admits(), breaker.state) == (False, "half_open")
    breaker.succeeded()
    assert (breaker.admits(), breaker.state) == (True, "closed")


def test_a_call_that_tells_nothing_leaves_the_question_open() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += FIRST_PAUSE
    breaker.begins()
    breaker.undecided()
    assert breaker.admits()


def test_each_failed_try_makes_the_pause_longer_up_to_a_limit() -> None:
    clock = Clock()
    breaker, pauses = opened(clock), []
    for _ in range(10):
        since = clock.now
        while not breaker.admits():
            clock.now += FIRST_PAUSE / 4
        pauses.append(clock.now - since)
        breaker.begins()
        breaker.failed()
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[1], pauses[-1]) == (FIRST_PAUSE, 2 * FIRST_PAUSE, LONGEST_PAUSE)


def test_a_late_failure_of_an_older_call_changes_nothing() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += FIRST_PAUSE / 2
    breaker.failed()
    clock.now += FIRST_PAUSE / 2
    assert breaker.admits()


@given(st.lists(st.sampled_from(["begins", "succeeded", "failed", "undecided", "wait"]), max_size=60))
def test_it_always_admits_again(steps: list[str]) -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for step in steps:
        if step == "wait":
            clock.now += 0.7
        else:
            getattr(breaker, step)()
    breaker.undecided()
    clock.now += LONGEST_PAUSE
    assert breaker.admits()
