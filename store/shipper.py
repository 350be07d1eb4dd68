"""The shipper: carries records from the journal into the database, and deletes what has arrived.

    segments of all workers ──read──> batch ──one transaction──> sink ──then──> acknowledge, delete

A segment is deleted only when its writer is gone or has moved on (its lock is free) and all of it is committed. It is
renamed first and forgotten by the sink before the file goes, so a crash at any point leaves nothing behind. What cannot
be read or stored goes, still encrypted, to `quarantine/`, and the rest goes on.
"""

from __future__ import annotations

import fcntl
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import msgspec

from store.duties import Duties, Duty, describe
from store.errors import JournalError, KeyMissing, ShipperBusy, Tampered, UnknownVersion
from store.keyring import KeyRing
from store.lag import Backlog, ShipperStatus, backlog, measure, read_status, segments, write_status
from store.left_segments import is_finished, remove_stillborn
from store.quarantine import Quarantine
from store.segment import SUFFIX, Entry, SegmentReader
from store.sink import Position, Sink, SinkAway, SinkRefused

__all__ = ["Backlog", "Shipper", "ShipperStatus", "backlog", "read_status"]

log = logging.getLogger(__name__)

LOCK_FILE: Final = "shipper.lock"
DONE_SUFFIX: Final = ".done"
_LONGEST_WAIT: Final = 5.0
_DRAIN_SECONDS: Final = 5.0
_REPORT_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry of a segment, on its way."""

    path: Path
    entry: Entry


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A record on which the sink broke, though it did not refuse it."""

    place: Path
    """Its copy in quarantine."""
    error: Exception


class Shipper:
    """Ships a journal directory into a sink; only one may do so at a time.

    A batch holds at most `batch_records` records and about `batch_bytes` bytes. `every` lists further duties of this
    process as (seconds, function), called between batches.
    """

    def __init__(
        self,
        directory: Path,
        ring: KeyRing,
        sink: Sink,
        *,
        batch_records: int = 500,
        batch_bytes: int = 16 << 20,
        poll_seconds: float = 0.2,
        every: Sequence[tuple[float, Duty]] = (),
    ) -> None:
        self.directory = directory
        self.status = ShipperStatus()
        self._ring = ring
        self._sink = sink
        self._batch_records = batch_records
        self._batch_bytes = batch_bytes
        self._poll_seconds = poll_seconds
        self._duties = Duties(every)
        self._quarantine = Quarantine(directory)
        self._lock_fd: int | None = None
        self._committed: dict[str, int] | None = None
        self._readers: dict[str, SegmentReader] = {}
        self._read_out: list[Path] = []
        """Segments of dead writers whose every entry was handed on."""
        self._unreadable: set[str] = set()
        self._complained: set[str] = set()
        self._reported_at = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Ship until told to stop, then what a few seconds allow; waits while another shipper works here."""
        if not self._await_turn(stop):
            return
        failures = 0
        try:
            while not stop.is_set():
                failures = 0 if self._attempt(stop.is_set) else failures + 1
                stop.wait(_backoff(failures) if failures else self._poll_seconds)
            deadline = time.monotonic() + _DRAIN_SECONDS
            self._attempt(lambda: time.monotonic() > deadline)
        finally:
            self.close()

    def ship_once(self, halt: Callable[[], bool] = lambda: False) -> int:
        """Ship all that can be read now; returns how many records were new to the sink.

        `halt` is asked between batches. Raises ShipperBusy, SinkAway, JournalError; whatever was not committed is
        read again by the next call.
        """
        self._acquire()
        before = self.status.shipped
        self._begin()
        batch: list[_Item] = []
        size = 0
        for item in self._readable():
            batch.append(item)
            size += item.entry.end - item.entry.start
            if len(batch) >= self._batch_records or size >= self._batch_bytes:
                self._flush(batch)
                batch, size = [], 0
                if halt():
                    break
        self._flush(batch)
        self._sweep()
        self._note(last_success_us=_now_us(), away=False, unreadable=len(self._unreadable))
        self._report_if_due(moved=self.status.acknowledged != self._committed)
        return self.status.shipped - before

    def close(self) -> None:
        """Let another shipper take over."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None
            self._committed = None

    def __enter__(self) -> Shipper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Turns: one shipper at a time, and what it does when the sink is away

    def _await_turn(self, stop: threading.Event) -> bool:
        said = False
        while not stop.is_set():
            try:
                self._acquire()
            except ShipperBusy as busy:
                if not said:
                    log.warning("%s; waiting for it to end", busy)
                said = True
                stop.wait(self._poll_seconds)
            else:
                return True
        return False

    def _acquire(self) -> None:
        if self._lock_fd is not None:
            return
        path = self.directory / LOCK_FILE
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise JournalError(f"cannot ship from {str(self.directory)!r}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise ShipperBusy(f"another shipper works on {str(self.directory)!r}") from None
        self._lock_fd = fd
        before = read_status(self.directory) or ShipperStatus()
        self.status = msgspec.structs.replace(before, pid=os.getpid())
        remove_stillborn(self.directory)

    def _attempt(self, halt: Callable[[], bool]) -> bool:
        """One pass; whether the sink took everything."""
        try:
            self.ship_once(halt)
        except SinkAway as error:
            if not self.status.away:
                log.warning("the database is away, records wait in the journal: %s", describe(error))
            self._fail(error, away=True)
            return False
        except Exception as error:  # noqa: BLE001  the process boundary: nothing may end shipping
            log.error("shipping failed, will be tried again: %s", describe(error))
            self._fail(error, away=False)
            return False
        finally:
            self._duties.run_due()
        return True

    def _fail(self, error: Exception, *, away: bool) -> None:
        self._readers.clear()  # they have read beyond what is committed
        self._note(last_error=describe(error), last_error_us=_now_us(), away=away)
        self._report()

    # Reading

    def _begin(self) -> None:
        """Learn what is committed, once, and drop what a broken-off pass left."""
        self._read_out = []
        self._unreadable = set()
        if self._committed is None:
            here = {path.name for path in segments(self.directory)}
            self._committed = {name: end for name, end in self._sink.positions().items() if name in here}

    def _readable(self) -> Iterator[_Item]:
        """Everything that stands in the segments beyond the committed offsets, segment by segment."""
        for path in segments(self.directory):
            try:
                finished = is_finished(path)
                yield from self._entries(path)
            except FileNotFoundError:  # its writer took it back: nothing had been written
                self._readers.pop(path.name, None)
            except (KeyMissing, UnknownVersion, OSError) as error:
                self._leave(path, error)
            except Tampered as error:
                log.error("%s; moved to quarantine", error)
                self._quarantine.keep_segment(path)
                self._note(corrupt=self.status.corrupt + 1)
                self._read_out.append(path)
            else:
                if finished:
                    self._read_out.append(path)

    def _entries(self, path: Path) -> Iterator[_Item]:
        offset = self._offsets.get(path.name, 0)
        reader = self._readers.get(path.name)
        if reader is None:
            reader = self._readers[path.name] = SegmentReader(path, self._ring)
        if path.stat().st_size <= offset:
            reader.torn = 0
            return
        for entry in reader.entries(offset):
            yield _Item(path, entry)

    def _leave(self, path: Path, error: Exception) -> None:
        """Leave a segment alone until its key, a newer program or the disk is back; the others go on."""
        self._unreadable.add(path.name)
        if path.name not in self._complained:
            self._complained.add(path.name)
            log.error("cannot read %s, left where it is: %s", path, error)
        self._note(last_error=describe(error), last_error_us=_now_us())

    @property
    def _offsets(self) -> dict[str, int]:
        assert self._committed is not None
        return self._committed

    # Writing

    def _flush(self, batch: Sequence[_Item]) -> None:
        """Commit a batch, then let go of the segments that were read to their end."""
        faults = [item for item in batch if item.entry.fault]
        for item in faults:
            self._quarantine.keep_segment(item.path)
        if batch:
            self._judge(batch, self._deliver(batch))
        for item in faults:
            log.error("%s record in %s at offset %d", item.entry.fault, item.path, item.entry.start)
        for path in self._read_out:
            self._retire(path)
        self._read_out = []
        self._report_if_due(moved=False)
        self._duties.run_due()

    def _deliver(self, batch: Sequence[_Item]) -> list[_Suspect]:
        """Write a batch; one with a record that the sink refuses, or breaks on, is halved until it stands alone.

        Returns the records on which the sink broke; they are in quarantine, in case what follows them is committed."""
        records = [item.entry.record for item in batch if item.entry.record is not None]
        positions = _positions(batch)
        try:
            new = self._sink.write(records, positions)
        except (SinkAway, OSError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  whatever a record breaks, the next one must pass
            if len(batch) > 1:
                middle = len(batch) // 2
                return self._deliver(batch[:middle]) + self._deliver(batch[middle:])
            place = self._quarantine.keep_record(batch[0].path, batch[0].entry)
            if not isinstance(error, SinkRefused):
                return [_Suspect(place, error)]
            self._refused(place, error)
            new = self._sink.write((), positions)
        self._offsets.update((position.segment, position.offset) for position in positions)
        self._note(
            shipped=self.status.shipped + new,
            corrupt=self.status.corrupt + sum(bool(item.entry.fault) for item in batch),
            last_success_us=_now_us(),
            away=False,
        )
        return []

    def _judge(self, batch: Sequence[_Item], suspects: Sequence[_Suspect]) -> None:
        """A record that breaks the sink where others pass is set aside; where none passes the fault is ours, and all
        of them wait in the journal."""
        if not suspects:
            return
        if len(suspects) == sum(item.entry.record is not None for item in batch):
            for suspect in suspects:
                suspect.place.unlink(missing_ok=True)
            raise suspects[0].error
        for suspect in suspects:
            self._refused(suspect.place, suspect.error)
        positions = _positions(batch)
        self._sink.write((), positions)
        self._offsets.update((position.segment, position.offset) for position in positions)

    def _refused(self, place: Path, error: Exception) -> None:
        log.error("the database refused a record, kept in %s: %s", place, describe(error))
        self._note(quarantined=self.status.quarantined + 1)

    def _retire(self, path: Path) -> None:
        """Take a segment that has arrived out of the journal; _sweep deletes it."""
        reader = self._readers.pop(path.name, None)
        if reader is not None and reader.torn:
            log.warning(
                "discarded %d bytes of an unfinished record in %s: its writer died", reader.torn, path
            )
            self._note(torn=self.status.torn + 1)
        path.rename(path.with_name(path.name + DONE_SUFFIX))
        self._offsets.pop(path.name, None)

    def _sweep(self) -> None:
        """Let the sink forget retired segments, then delete them."""
        done = sorted(self.directory.glob("*" + SUFFIX + DONE_SUFFIX))
        if done:
            self._sink.forget([path.name.removesuffix(DONE_SUFFIX) for path in done])
            for path in done:
                path.unlink(missing_ok=True)

    # Reporting

    def _note(self, **changes: Any) -> None:
        self.status = msgspec.structs.replace(self.status, **changes)

    def _report_if_due(self, *, moved: bool) -> None:
        """Report what a pass moved, and a sign of life now and then."""
        if moved or time.monotonic() - self._reported_at > _REPORT_SECONDS:
            self._report()

    def _report(self) -> None:
        """Write the status file; a full disk must not stop the one process that can empty it."""
        self._reported_at = time.monotonic()
        acknowledged = self.status.acknowledged if self._committed is None else dict(self._committed)
        waiting = measure(self.directory, acknowledged)
        self._note(
            updated_us=_now_us(),
            duty_faults=self._duties.faults,
            pending_bytes=waiting.bytes,
            oldest_pending_us=waiting.oldest_us,
            acknowledged=acknowledged,
        )
        try:
            write_status(self.directory, self.status)
        except OSError as error:
            log.warning("cannot write the shipper's status in %s: %s", self.directory, error.strerror)


def _positions(batch: Sequence[_Item]) -> list[Position]:
    ends = {item.path.name: item.entry.end for item in batch}
    return [Position(name, end) for name, end in ends.items()]


def _backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubling, jittered, at most five."""
    longest = min(_LONGEST_WAIT, 0.1 * 2 ** min(failures, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311  jitter, not a secret


def _now_us() -> int:
    return time.time_ns() // 1000
