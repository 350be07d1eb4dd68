"""One child under supervision: when it is started again, and when that is pointless."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from cli.supervisor import Child

DEADLINE = 30.0


def ends_with(code: int) -> list[str]:
    return [sys.executable, "-S", "-c", f"raise SystemExit({code})"]


def watch_until(child: Child, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < until
        child.watch()
        time.sleep(0.005)


@pytest.fixture
def sleeper() -> Iterator[Child]:
    """A child that runs until it is told to stop."""
    child = Child("sleeper", [sys.executable, "-S", "-c", "import time; time.sleep(600)"], [])
    child.start()
    yield child
    child.wait(0.0)


def test_dying_young_makes_the_pauses_longer() -> None:
    child = Child("short-lived", ends_with(1), [])
    child.start()
    pauses = []
    for starts in (2, 3):
        watch_until(child, lambda: child.process is None)
        pauses.append(child.pause)
        watch_until(child, lambda: child.starts == starts)  # noqa: B023  called in this round
    child.wait(DEADLINE)
    assert pauses == [0.2, 0.4]
    assert not child.hopeless


def test_a_first_start_that_ends_with_2_is_hopeless() -> None:
    child = Child("misplaced", ends_with(2), [])
    child.start()
    watch_until(child, lambda: child.hopeless)
    assert child.starts == 1


def test_what_cannot_be_started_is_tried_again() -> None:
    child = Child("missing", ["./there-is-no-such-program"], [])
    child.start()
    watch_until(child, lambda: child.starts == 2)
    assert child.process is None
    assert not child.hopeless


def test_a_child_stands_in_a_session_of_its_own(sleeper: Child) -> None:
    assert sleeper.process is not None
    assert os.getsid(sleeper.process.pid) == sleeper.process.pid


def test_a_child_that_does_not_stop_is_killed(sleeper: Child) -> None:
    assert sleeper.process is not None
    pid = sleeper.process.pid
    sleeper.wait(0.0)
    assert not psutil.pid_exists(pid)
