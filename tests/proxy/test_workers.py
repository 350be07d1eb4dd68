"""What workers say of themselves, and what stays of those that are gone."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from proxy.workers import LOST_FILE, STALE_SECONDS, WorkerBoard, WorkerStatus


def status(pid: int, *, lost: int = 0, written: float | None = None) -> WorkerStatus:
    return WorkerStatus(
        pid=pid,
        written=time.time() if written is None else written,
        config="0123abcd",
        config_loaded=1.0,
        config_error=None,
        restart_needed=(),
        journal_lost=lost,
        journal_error=None,
    )


def gone(pid: int, *, lost: int = 0) -> WorkerStatus:
    return status(pid, lost=lost, written=time.time() - STALE_SECONDS - 1)


@pytest.fixture
def board(tmp_path: Path) -> WorkerBoard:
    return WorkerBoard(tmp_path / "workers")


def test_workers_are_read_by_pid_and_replaced_whole(board: WorkerBoard) -> None:
    for one in (status(2), status(1), status(2, lost=5)):
        board.post(one)
    assert [(each.pid, each.journal_lost) for each in board.read()] == [(1, 0), (2, 5)]


def test_what_a_worker_lost_is_counted_when_it_is_gone(board: WorkerBoard, tmp_path: Path) -> None:
    board.post(gone(1, lost=3))
    board.post(gone(2))
    board.post(status(3, lost=4))
    assert board.lost_before() == 0
    assert [each.pid for each in board.read()] == [3]
    assert [each.pid for each in board.read()] == [3]
    assert board.lost_before() == 3
    board.withdraw(status(3, lost=5))
    board.withdraw(status(3, lost=5))
    assert (board.read(), board.lost_before()) == ([], 8)
    assert WorkerBoard(tmp_path / "workers").lost_before() == 8


def test_several_readers_count_it_once(board: WorkerBoard) -> None:
    for pid in range(50):
        board.post(gone(pid, lost=2))
    readers = [threading.Thread(target=board.read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert board.lost_before() == 100


def test_a_count_that_cannot_be_kept_is_told(
    board: WorkerBoard, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board.post(status(1, lost=2))
    (tmp_path / "workers" / LOST_FILE).write_text("not a number")
    board.withdraw(status(1, lost=2))
    assert "2 lost records are not counted any more" in caplog.text
    assert board.lost_before() == 0
