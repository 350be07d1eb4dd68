"""What each worker says of itself, in one small file per worker, so that any of them can answer for all."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from pathlib import Path
from typing import Final

import msgspec

from proxy.engine_server import ServerStatus
from proxy.published import LearnedStatus

log = logging.getLogger("understudy.workers")

LOST_FILE: Final = "lost"
"""Records that workers which are gone could not append."""

STALE_SECONDS: Final = 10.0
"""A worker that has not written for this long is gone."""


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's state at one moment."""

    pid: int
    written: float
    """Unix time."""
    config: str
    """Version hash of the configuration in force."""
    config_loaded: float
    """Unix time at which it was put in force."""
    config_error: str | None
    """Why the file's newest content is not in force; None when it is."""
    restart_needed: tuple[str, ...]
    """Settings that changed in the file and take effect at the next start."""
    journal_lost: int
    """Records that could not be appended since this worker started."""
    journal_error: str | None
    learned: LearnedStatus = LearnedStatus()
    engines: tuple[ServerStatus, ...] = ()
    """The servers of small models, as this worker sees them."""


class WorkerBoard:
    """The folder of worker files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def post(self, status: WorkerStatus) -> None:
        """Write this worker's file (atomic); a full disk is no reason to fail."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            target = self._directory / f"{status.pid}.json"
            draft = target.with_suffix(".tmp")
            draft.write_bytes(msgspec.json.encode(status))
            os.replace(draft, target)
        except OSError:
            return

    def read(self) -> list[WorkerStatus]:
        """Every worker that has written lately, by pid; the files of others are swept away."""
        found = []
        for path in sorted(self._directory.glob("*.json")):
            try:
                status = msgspec.json.decode(path.read_bytes(), type=WorkerStatus)
            except (OSError, msgspec.MsgspecError):
                continue
            if time.time() - status.written > STALE_SECONDS:
                self.withdraw(status)
            else:
                found.append(status)
        return sorted(found, key=lambda status: status.pid)

    def withdraw(self, status: WorkerStatus) -> None:
        """Remove a worker's file at its end; what it lost stays counted."""
        try:
            (self._directory / f"{status.pid}.json").unlink()
        except FileNotFoundError:
            return  # somebody else was first, and has counted it
        if status.journal_lost:
            try:
                self._add_lost(status.journal_lost)
            except (OSError, ValueError) as error:
                log.error("%d lost records are not counted any more: %s", status.journal_lost, error)

    def lost_before(self) -> int:
        """Records that workers which are gone could not append."""
        try:
            return int((self._directory / LOST_FILE).read_text() or 0)
        except (OSError, ValueError):
            return 0

    def _add_lost(self, many: int) -> None:
        fd = os.open(self._directory / LOST_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(fd, "r+") as file:
            fcntl.flock(fd, fcntl.LOCK_EX)
            total = int(file.read() or 0) + many
            file.seek(0)
            file.write(str(total))
