"""One child under supervision: when it is started again, and when that is pointless."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cli.in_force import InForce
from cli.supervisor import Child, supervisor_for

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


def test_it_waits_until_it_is_due() -> None:
    due = False
    child = Child("later", ends_with(1), [], due=lambda: due)
    child.begin()
    child.watch()
    assert (child.process, child.starts) == (None, 0)
    due = True
    watch_until(child, lambda: child.starts == 1)
    child.wait(DEADLINE)


def test_what_the_server_can_do_without_is_never_hopeless() -> None:
    child = Child("beside", ends_with(2), [], vital=False)
    child.start()
    watch_until(child, lambda: child.starts == 2)
    child.wait(DEADLINE)
    assert not child.hopeless


@pytest.mark.parametrize(
    ("content", "due"),
    [
        (None, False),
        (b"", False),
        (b"{", False),
        (b"[1]", False),
        (b'{"publication": null}', False),
        (b'{"publication": {"deployments": []}}', False),
        (b'{"publication": {"deployments": [{"engine": "heads"}]}}', True),
    ],
)
def test_the_head_server_is_due_with_the_first_understudy(
    tmp_path: Path, content: bytes | None, due: bool
) -> None:
    published = tmp_path / "published.json"
    if content is not None:
        published.write_bytes(content)
    with socket.socket() as listener:
        supervisor = supervisor_for(None, InForce(-1), listener, workers=2, drain=1.0, published=published)
        head_server, gatekeeper = supervisor.learning
        assert (head_server.name, gatekeeper.name) == ("head server", "gatekeeper")
        assert head_server.due is not None
        assert head_server.due() is due
        assert gatekeeper.due is None
        assert [child.vital for child in supervisor.learning] == [False, False]
        supervisor.heads.close()
        os.close(supervisor.lifeline)


def test_without_learning_there_are_no_processes_for_it() -> None:
    with socket.socket() as listener:
        supervisor = supervisor_for(None, InForce(-1), listener, workers=1, drain=1.0, published=None)
        assert supervisor.learning == []
        assert [child.name for child in supervisor.workers] == ["worker 1"]
        supervisor.heads.close()
        os.close(supervisor.lifeline)
