from __future__ import annotations

import errno
import fcntl
import logging
import os
import random
import resource
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from store.errors import JournalError
from store.journal import Fsync, Journal, Unsynced
from store.keyring import KeyRing
from store.record import Record
from store.segment import HEADER_BYTES, SUFFIX, SegmentReader

MakeRecord = Callable[..., Record]
WRITER = Path(__file__).with_name("journal_writer.py")


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*" + SUFFIX))


def read(directory: Path, ring: KeyRing) -> list[Record]:
    """All records of a journal; fails on any fault but a torn tail."""
    entries = [entry for path in segments(directory) for entry in SegmentReader(path, ring).entries()]
    assert [entry.fault for entry in entries if entry.fault] == []
    return [entry.record for entry in entries if entry.record is not None]


def locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let the system refuse to make any file longer than this (SIGXFSZ is ignored by Python)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB, where the system lets us mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("may not mount a small file system here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("fsync", get_args(Fsync))
def test_appended_records_are_on_disk_at_once(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord, fsync: Fsync
) -> None:
    journal = Journal(tmp_path, ring, fsync=fsync)
    records = [make_record(number, size=number * 1000) for number in range(20)]
    for count, record in enumerate(records, 1):
        assert journal.append(record)
        assert len(read(tmp_path, ring)) == count
    assert read(tmp_path, ring) == records
    assert (journal.lost, journal.last_error) == (0, None)
    journal.close()


def test_what_was_written_is_handed_out_once_to_be_synced(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    opened = len(os.listdir("/proc/self/fd"))
    journal = Journal(tmp_path, ring, fsync="second", segment_bytes=2000)
    assert not journal.unsynced()
    for number in range(6):
        journal.append(make_record(number, size=1000))
    assert len(segments(tmp_path)) == 3
    written = journal.unsynced()
    assert len(written) == 3
    assert not journal.unsynced()
    journal.append(make_record(7))
    journal.close()
    assert len(last := journal.unsynced()) == 1
    assert (written.sync(), written.sync(), last.sync()) == (None, None, None)
    assert len(os.listdir("/proc/self/fd")) == opened


@pytest.mark.parametrize("fsync", ["never", "always"])
def test_only_the_journal_that_syncs_later_hands_anything_out(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord, fsync: Fsync
) -> None:
    with Journal(tmp_path, ring, fsync=fsync) as journal:
        journal.append(make_record(1))
        assert not journal.unsynced()


def test_a_disk_that_does_not_sync_is_told(tmp_path: Path) -> None:
    reading, writing = os.pipe()  # which cannot be synced
    os.close(writing)
    fault = Unsynced([reading]).sync()
    assert fault is not None
    assert fault.errno == errno.EINVAL


def test_nothing_is_made_before_the_first_record(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    journal = Journal(tmp_path / "new" / "journal", ring)
    assert list(journal.directory.iterdir()) == []
    journal.close()
    journal.append(make_record(1))
    assert [path.stat().st_mode & 0o777 for path in journal.directory.iterdir()] == [0o600]
    assert journal.directory.stat().st_mode & 0o777 == 0o700
    journal.close()


def test_active_segment_is_locked_until_closed(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    with Journal(tmp_path, ring) as journal:
        journal.append(make_record(1))
        assert [locked(path) for path in segments(tmp_path)] == [True]
    assert [locked(path) for path in segments(tmp_path)] == [False]


def test_segments_rotate_by_size_in_order_of_name(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    records = [make_record(number, size=1000) for number in range(50)]
    with Journal(tmp_path, ring, segment_bytes=5000) as journal:
        assert all(journal.append(record) for record in records)
        *finished, active = map(locked, segments(tmp_path))
        assert active
        assert not any(finished)
    assert len(segments(tmp_path)) > 9
    assert read(tmp_path, ring) == records


def test_segments_rotate_by_age(tmp_path: Path, ring: KeyRing, make_record: MakeRecord) -> None:
    with Journal(tmp_path, ring, segment_seconds=0.0) as journal:
        journal.append(make_record(1))
        journal.append(make_record(2))
        assert [locked(path) for path in segments(tmp_path)] == [False, True]
        journal.roll()
        assert [locked(path) for path in segments(tmp_path)] == [False, False]


def test_a_young_segment_does_not_roll(tmp_path: Path, ring: KeyRing, make_record: MakeRecord) -> None:
    with Journal(tmp_path, ring) as journal:
        journal.append(make_record(1))
        journal.roll()
        assert [locked(path) for path in segments(tmp_path)] == [True]


def test_two_journals_share_a_directory(tmp_path: Path, ring: KeyRing, make_record: MakeRecord) -> None:
    with Journal(tmp_path, ring) as one, Journal(tmp_path, ring) as other:
        for number in range(10):
            (one if number % 2 else other).append(make_record(number))
    assert {int.from_bytes(record.id, "big") for record in read(tmp_path, ring)} == set(range(10))
    assert len(segments(tmp_path)) == 2


def test_rotated_key_serves_the_next_segment(tmp_path: Path, make_record: MakeRecord) -> None:
    ring = KeyRing.load(tmp_path / "key", {})
    with Journal(tmp_path / "journal", ring, segment_seconds=0.0) as journal:
        journal.append(make_record(1))
        KeyRing.load(tmp_path / "key", {}).rotate()  # as another process does it
        journal.append(make_record(2))
    key_ids = [path.read_bytes()[8:12] for path in segments(tmp_path / "journal")]
    fresh = KeyRing.load(tmp_path / "key", {})
    assert key_ids == [fresh.ids[1], fresh.ids[0]]
    assert len(read(tmp_path / "journal", fresh)) == 2


@pytest.mark.parametrize("place", ["file/journal", "file"])
def test_unusable_directory_is_refused_with_its_name(tmp_path: Path, ring: KeyRing, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match=f"{place}.*local disk"):
        Journal(tmp_path / place, ring)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_directory_is_refused(tmp_path: Path, ring: KeyRing) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(JournalError, match="Permission denied"):
        Journal(tmp_path, ring)


def test_a_half_written_frame_is_taken_back(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    faults: list[Exception] = []
    journal = Journal(tmp_path, ring, on_fault=faults.append)
    records = [make_record(number, size=4000) for number in range(40)]
    with file_size_limit(50_000):
        kept = [record for record in records if journal.append(record)]
    assert 0 < journal.lost == len(faults) == len(records) - len(kept)
    assert isinstance(journal.last_error, OSError)
    assert journal.last_error.errno == errno.EFBIG
    assert journal.append(make_record(99))
    journal.close()
    assert read(tmp_path, ring) == [*kept, make_record(99)]
    for path in segments(tmp_path):
        reader = SegmentReader(path, ring)
        assert len(list(reader.entries())) > 0
        assert reader.torn == 0
    assert [entry.levelno for entry in caplog.records].count(logging.ERROR) == 1, (
        "said once, not for each record"
    )


def test_a_record_too_large_for_the_disk_leaves_no_litter(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    journal = Journal(tmp_path, ring)
    with file_size_limit(10_000):
        assert [journal.append(make_record(number, size=60_000)) for number in range(5)] == [False] * 5
    with file_size_limit(HEADER_BYTES // 2):
        assert not journal.append(make_record(1))
    assert list(tmp_path.iterdir()) == []
    assert journal.lost == 6


def test_a_full_disk_loses_only_what_it_refused(
    small_disk: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(100_000))
    journal = Journal(small_disk / "journal", ring)
    kept = [record for number in range(60) if journal.append(record := make_record(number, size=5000))]
    assert isinstance(journal.last_error, OSError)
    assert journal.last_error.errno == errno.ENOSPC
    assert journal.lost == 60 - len(kept) > 0
    ballast.unlink()
    assert journal.append(make_record(60))
    journal.close()
    assert read(journal.directory, ring) == [*kept, make_record(60)]


def test_unencodable_record_and_failing_listener_do_not_raise(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    def listener(error: Exception) -> None:
        raise RuntimeError("listener")

    journal = Journal(tmp_path, ring, on_fault=listener)
    assert not journal.append(make_record(1, path="/v1/\udcff"))
    assert isinstance(journal.last_error, UnicodeEncodeError)
    assert journal.append(make_record(2))
    journal.close()
    assert "udcff" not in caplog.text
    assert [message for message in caplog.messages if "writing again" in message]


def test_a_directory_that_disappears_is_counted_and_the_journal_recovers(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    place = tmp_path / "journal"
    journal = Journal(place, ring)
    place.rmdir()
    assert not journal.append(make_record(1))
    place.mkdir()
    assert journal.append(make_record(2))
    journal.close()
    assert read(place, ring) == [make_record(2)]


def test_no_record_that_was_kept_is_lost_by_a_kill(tmp_path: Path) -> None:
    """24 writers, four at a time, are killed at random moments."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    ring = KeyRing.load(tmp_path / "key", {})
    kept: list[int] = []
    for round_number in range(6):
        writers = [
            _start_writer(tmp_path, (round_number * 4 + writer) * 1_000_000, moments.randint(1, 120))
            for writer in range(4)
        ]
        for writer, numbers in writers:
            writer.join()
            kept += numbers
    found = Counter(int.from_bytes(record.id, "big") for record in read(tmp_path / "journal", ring))
    assert set(found.values()) == {1}
    assert set(kept) <= set(found)
    assert len(found) - len(kept) <= 24, "at most one record each was kept and not yet said to be"


def _start_writer(place: Path, first: int, after: int) -> tuple[threading.Thread, list[int]]:
    """Start a writer that is killed when it has said so many numbers; returns the list that they go to."""
    command = [sys.executable, str(WRITER), str(place / "journal"), str(place / "key"), str(first)]
    numbers: list[int] = []

    def follow() -> None:
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for line in child.stdout:
                numbers.append(int(line))
                if len(numbers) == after:
                    child.kill()

    thread = threading.Thread(target=follow)
    thread.start()
    return thread, numbers


def test_records_of_the_previous_version_are_read(tmp_path: Path, make_record: MakeRecord) -> None:
    """A record without the fields that were added at the end decodes with their defaults."""
    old = msgspec.msgpack.encode(list(msgspec.structs.astuple(make_record(1)))[:-2])
    assert msgspec.msgpack.decode(old, type=Record) == make_record(1)
