"""The journal: where a worker leaves a finished call before the agent sees the last byte of its answer.

One process writes one segment at a time and holds a lock on it, so that the shipper can tell a live writer from a dead
one. A segment is made under a temporary name, locked, given its header and only then renamed: whoever sees it sees it
locked. Without fsync (the default) a record survives the death of every process, but not that of the machine; with
"second" the machine's death costs what was written in the last second or so, with "always" nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

from store.errors import JournalError
from store.keyring import KeyRing
from store.record import Record, encode
from store.segment import HEADER_BYTES, SUFFIX, SegmentCipher, new_header

Fsync = Literal["never", "second", "always"]
"""When a record is on the disk itself: when the system likes, within about a second, before its answer is complete."""

log = logging.getLogger(__name__)

FRESH_SUFFIX: Final = ".new"
_QUIET_SECONDS: Final = 5.0
"""At most one line about lost records in this time; the line says how many there were."""


class Journal:
    """Appends records to encrypted segments in a directory.

    Made, used and closed by one thread of one process; any number of processes may share the directory. With `fsync`
    "second" its user calls `Unsynced.sync` of what `unsynced` returns, in whatever thread, every second.
    `segment_bytes` and `segment_seconds` bound a segment; `on_fault` hears of every record that could not be kept.
    Raises JournalError when the directory cannot be used.
    """

    def __init__(
        self,
        directory: Path,
        ring: KeyRing,
        *,
        segment_bytes: int = 64 << 20,
        segment_seconds: float = 60.0,
        fsync: Fsync = "never",
        on_fault: Callable[[Exception], None] | None = None,
    ) -> None:
        self.directory = directory
        self.lost = 0
        """Records that could not be written since the start."""
        self.last_error: Exception | None = None
        self._ring = ring
        self._segment_bytes = segment_bytes
        self._segment_us = int(segment_seconds * 1e6)
        self._fsync = fsync
        self._unsynced: list[int] = []
        self._on_fault = on_fault
        self._active: _Active | None = None
        self._named_us = 0
        self._faults = _FaultLog(directory)
        _check(directory)

    def append(self, record: Record) -> bool:
        """Write a record; returns whether it is kept. Never raises: a loss is counted, logged and told to `on_fault`."""
        try:
            self._append(encode(record))
        except Exception as error:  # noqa: BLE001  the agent is served whatever the disk says
            self._lose(error)
            return False
        if self._faults.failing:
            self._faults.clear()
        return True

    def roll(self) -> None:
        """Finish the active segment if it is old enough, so that an idle worker's segment can be deleted too."""
        active = self._active
        if active is not None and time.time_ns() // 1000 - active.opened_us >= self._segment_us:
            self.close()

    def unsynced(self) -> Unsynced:
        """What was written since the last call and may not be on the disk yet."""
        active = self._active
        if active is not None:
            self._keep_unsynced(active)
        descriptors, self._unsynced = self._unsynced, []
        return Unsynced(descriptors)

    def close(self) -> None:
        """Finish the active segment; a later append starts another."""
        active, self._active = self._active, None
        if active is not None:
            self._keep_unsynced(active)
            active.close()

    def _keep_unsynced(self, active: _Active) -> None:
        if self._fsync == "second" and active.dirty:
            active.dirty = False
            with contextlib.suppress(OSError):  # no descriptor is left: the next second has another chance
                self._unsynced.append(os.dup(active.fd))

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, plain: bytes) -> None:
        now_us = time.time_ns() // 1000
        active = self._active
        if (
            active is None
            or active.size >= self._segment_bytes
            or now_us - active.opened_us >= self._segment_us
        ):
            self.close()
            active = self._active = self._open(now_us)
        try:
            active.write(plain, now_us)
            if self._fsync == "always":
                os.fdatasync(active.fd)
        except OSError:
            self._abandon(active)
            raise

    def _abandon(self, active: _Active) -> None:
        """Leave a segment after a failed write.

        The half-written frame is cut off. Nothing more is written here: the next frame would have to reuse its nonce.
        """
        self._active = None
        active.cut()
        active.close()

    def _open(self, now_us: int) -> _Active:
        """Start a segment; the names of one journal rise even when the clock is set back."""
        self._ring.refresh()
        self._named_us = max(now_us, self._named_us + 1)
        name = f"{self._named_us:016d}-{os.getpid()}-{os.urandom(8).hex()}{SUFFIX}"
        return _Active.create(self.directory / name, self._ring, now_us, durable=self._fsync != "never")

    def _lose(self, error: Exception) -> None:
        self.lost += 1
        self.last_error = error.with_traceback(None)  # which would hold on to the record
        self._faults.note(error)
        if self._on_fault is not None:
            try:
                self._on_fault(error)
            except Exception as second:  # noqa: BLE001  a listener's fault must not reach the agent either
                self._faults.note(second)


class Unsynced:
    """Descriptors of segments with writes that may not be on the disk yet."""

    def __init__(self, descriptors: list[int]) -> None:
        self._descriptors = descriptors

    def sync(self) -> OSError | None:
        """Wait until the disk has them, and close them; returns what went wrong, if anything did."""
        fault: OSError | None = None
        for fd in self._descriptors:
            try:
                os.fdatasync(fd)
            except OSError as error:
                fault = error
            finally:
                os.close(fd)
        self._descriptors = []
        return fault

    def __len__(self) -> int:
        return len(self._descriptors)


class _Active:
    """The segment being written, and the lock on it."""

    __slots__ = ("_cipher", "_counter", "_path", "dirty", "fd", "opened_us", "size")

    def __init__(self, path: Path, fd: int, cipher: SegmentCipher, opened_us: int) -> None:
        self.dirty = False
        """Whether anything was written since it was last handed out to be synced."""
        self.fd = fd
        self.size = HEADER_BYTES
        self.opened_us = opened_us
        self._path = path
        self._cipher = cipher
        self._counter = 0

    @classmethod
    def create(cls, path: Path, ring: KeyRing, now_us: int, *, durable: bool) -> _Active:
        """Make, lock and name a segment; leaves nothing behind when that fails."""
        header, cipher = new_header(ring.active, path.name)
        fresh = path.with_name(path.name + FRESH_SUFFIX)
        fd = os.open(fresh, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_all(fd, header)
            fresh.rename(path)
            if durable:
                _sync(fd, path.parent)
        except OSError:
            os.close(fd)
            fresh.unlink(missing_ok=True)
            raise
        return cls(path, fd, cipher, now_us)

    def write(self, plain: bytes, now_us: int) -> None:
        """Append one frame with one system call."""
        frame = self._cipher.seal(plain, self._counter, now_us)
        _write_all(self.fd, frame)
        self._counter += 1
        self.dirty = True
        self.size += len(frame)

    def cut(self) -> None:
        """Remove what stands behind the last whole frame, or the file if it has none.

        A reader would skip it as well; but a full disk should not fill up with empty segments.
        """
        with contextlib.suppress(OSError):
            if self._counter == 0:
                self._path.unlink()
            os.ftruncate(self.fd, self.size)

    def close(self) -> None:
        """Close the file, which also frees the lock."""
        with contextlib.suppress(OSError):
            os.close(self.fd)


class _FaultLog:
    """Says that records are being lost, loudly but not for each of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._unsaid = 0
        self._said_at = -_QUIET_SECONDS
        self.failing = False
        """Whether the last record was lost."""

    def note(self, error: Exception) -> None:
        """Count a fault and say so, unless that was said a moment ago."""
        self._unsaid += 1
        self.failing = True
        if time.monotonic() - self._said_at < _QUIET_SECONDS:
            return
        self._said_at = time.monotonic()
        log.error(
            "journal %s: %d record(s) LOST, agents are still served: %s",
            self._directory,
            self._unsaid,
            _reason(error),
        )
        self._unsaid = 0

    def clear(self) -> None:
        """Say that writing works again."""
        log.warning("journal %s: writing again (%d more lost before)", self._directory, self._unsaid)
        self.failing = False
        self._unsaid = 0


def _reason(error: Exception) -> str:
    """Name an error without its message, which may quote a record, unless it is the system's."""
    return f"{type(error).__name__}: {error.strerror}" if isinstance(error, OSError) else type(error).__name__


def _write_all(fd: int, data: bytes) -> None:
    """Write in one call; goes on after a short write until done or refused."""
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, data[done:])


def _sync(fd: int, directory: Path) -> None:
    os.fsync(fd)
    directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory_fd)
    finally:
        os.close(directory_fd)


def _check(directory: Path) -> None:
    """Make the directory if need be, and prove that files can be made and locked in it."""
    probe = directory / f".probe-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(fd)
            probe.unlink()
    except OSError as error:
        raise JournalError(
            f"cannot write the journal in {str(directory)!r}: {error.strerror}; "
            "give a directory on a local disk that this user may write"
        ) from error
