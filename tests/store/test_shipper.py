from __future__ import annotations

import logging
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from store.errors import JournalError, ShipperBusy
from store.journal import Journal
from store.keyring import KeyRing, MasterKey
from store.record import Record
from store.segment import HEADER_BYTES, SUFFIX, SegmentReader
from store.shipper import Backlog, Shipper, ShipperStatus, backlog, read_status
from tests.store.memory_sink import MemorySink, fill

MakeRecord = Callable[..., Record]
SHIPPER = Path(__file__).with_name("sqlite_shipper.py")
WRITER = Path(__file__).with_name("journal_writer.py")


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition; fails after a deadline."""
    deadline = time.monotonic() + seconds
    turn = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        turn.wait(0.005)


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*" + SUFFIX))


def status_of(directory: Path) -> ShipperStatus:
    status = read_status(directory)
    assert status is not None
    return status


def test_finished_segments_are_shipped_in_order_and_deleted(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    for first in (0, 10, 20):
        fill(tmp_path, ring, [make_record(number) for number in range(first, first + 10)])
    sink = MemorySink()
    with Shipper(tmp_path, ring, sink, batch_records=7) as shipper:
        assert shipper.ship_once() == 30
        assert shipper.ship_once() == 0
    assert sink.numbers == list(range(30))
    assert max(sink.batches) == 7
    assert segments(tmp_path) == []
    assert sink.offsets == {}
    assert backlog(tmp_path) == Backlog(0, 0, None)


def test_a_live_segment_is_followed_and_kept(tmp_path: Path, ring: KeyRing, make_record: MakeRecord) -> None:
    sink = MemorySink()
    with Shipper(tmp_path, ring, sink) as shipper:
        with Journal(tmp_path, ring) as journal:
            for number in range(5):
                journal.append(make_record(number))
                assert shipper.ship_once() == 1
            assert len(segments(tmp_path)) == 1
            assert sink.offsets == {segments(tmp_path)[0].name: segments(tmp_path)[0].stat().st_size}
        assert shipper.ship_once() == 0
        assert segments(tmp_path) == []


def test_batches_are_bounded_in_bytes(tmp_path: Path, ring: KeyRing, make_record: MakeRecord) -> None:
    fill(tmp_path, ring, [make_record(number, size=10_000) for number in range(10)])
    sink = MemorySink()
    with Shipper(tmp_path, ring, sink, batch_bytes=25_000) as shipper:
        shipper.ship_once()
    assert sink.batches == [3, 3, 3, 1]


def test_a_new_shipper_resumes_where_the_sink_says(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    sink = MemorySink()
    sink.offsets["segment-of-another-host"] = 77
    with Journal(tmp_path, ring) as journal:
        journal.append(make_record(1))
        with Shipper(tmp_path, ring, sink) as first:
            assert first.ship_once() == 1
        journal.append(make_record(2))
        with Shipper(tmp_path, ring, sink) as second:
            assert second.ship_once() == 1
            assert second.status.shipped == 2, "counts go on over a restart"
    assert sink.batches == [1, 1]
    assert sink.offsets["segment-of-another-host"] == 77


def test_a_segment_retired_before_a_crash_is_forgotten_later(tmp_path: Path, ring: KeyRing) -> None:
    sink = MemorySink()
    sink.offsets["0-1-a" + SUFFIX] = 100
    (tmp_path / ("0-1-a" + SUFFIX + ".done")).touch()
    with Shipper(tmp_path, ring, sink) as shipper:
        shipper.ship_once()
    assert sink.offsets == {}
    assert not list(tmp_path.glob("*.done"))


def test_stillborn_segments_are_removed(tmp_path: Path, ring: KeyRing) -> None:
    old, young = tmp_path / f"1{SUFFIX}.new", tmp_path / f"2{SUFFIX}.new"
    old.touch()
    young.touch()
    os.utime(old, (1, 1))
    with Shipper(tmp_path, ring, MemorySink()) as shipper:
        shipper.ship_once()
    assert (old.exists(), young.exists()) == (False, True)


def test_a_segment_that_gets_its_name_while_stillborn_ones_are_sought_is_let_be(
    tmp_path: Path, ring: KeyRing
) -> None:
    vanished = tmp_path / f"1{SUFFIX}.new"
    vanished.symlink_to(tmp_path / "renamed meanwhile")  # listed, and not there when looked at
    with Shipper(tmp_path, ring, MemorySink()) as shipper:
        assert shipper.ship_once() == 0


def test_torn_tail_of_a_dead_writer_is_discarded_and_counted(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    fill(tmp_path, ring, [make_record(1), make_record(2, size=500)])
    (path,) = segments(tmp_path)
    os.truncate(path, path.stat().st_size - 200)
    sink = MemorySink()
    with Shipper(tmp_path, ring, sink) as shipper:
        assert shipper.ship_once() == 1
        assert (shipper.status.torn, shipper.status.corrupt) == (1, 0)
    assert segments(tmp_path) == []


@pytest.mark.parametrize("size", [0, 5, HEADER_BYTES])
def test_a_segment_without_records_goes(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord, size: int
) -> None:
    fill(tmp_path, ring, [make_record(1)])
    os.truncate(segments(tmp_path)[0], size)
    with Shipper(tmp_path, ring, MemorySink()) as shipper:
        assert shipper.ship_once() == 0
        assert shipper.status.torn == (1 if size == 5 else 0)
    assert segments(tmp_path) == []


def test_damage_costs_one_record_and_the_segment_is_kept_aside(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, ring, [make_record(number) for number in range(5)])
    (path,) = segments(tmp_path)
    entries = list(SegmentReader(path, ring).entries())
    damaged = bytearray(path.read_bytes())
    damaged[entries[2].start + 40] ^= 1
    path.write_bytes(damaged)
    sink = MemorySink()
    with Shipper(tmp_path, ring, sink) as shipper:
        assert shipper.ship_once() == 4
        assert shipper.status.corrupt == 1
    assert sink.numbers == [0, 1, 3, 4]
    assert segments(tmp_path) == []
    assert (tmp_path / "quarantine" / path.name).read_bytes() == damaged
    assert f"{path.name} at offset {entries[2].start}" in caplog.text


def test_what_is_no_segment_goes_to_quarantine(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    (tmp_path / f"0{SUFFIX}").write_bytes(b"x" * 100)
    fill(tmp_path, ring, [make_record(1)])
    with Shipper(tmp_path, ring, MemorySink()) as shipper:
        assert shipper.ship_once() == 1
        assert shipper.status.corrupt == 1
    assert segments(tmp_path) == []
    assert (tmp_path / "quarantine" / f"0{SUFFIX}").exists()


def test_a_segment_waits_for_its_key_and_holds_up_no_other(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = MasterKey.generate()
    fill(tmp_path, KeyRing([stranger]), [make_record(1)])
    fill(tmp_path, ring, [make_record(2)])
    sink = MemorySink()
    with Shipper(tmp_path, ring, sink) as shipper:
        assert shipper.ship_once() == 1
        assert shipper.ship_once() == 0
        assert shipper.status.unreadable == 1
        assert shipper.status.pending_bytes > 0
    assert caplog.text.count(stranger.id.hex()) == 1
    with Shipper(tmp_path, KeyRing([ring.active, stranger]), sink) as shipper:
        assert shipper.ship_once() == 1
        assert shipper.status.unreadable == 0
    assert segments(tmp_path) == []


def test_key_rotation_in_the_middle_loses_nothing(tmp_path: Path, make_record: MakeRecord) -> None:
    ring = KeyRing.load(tmp_path / "key", {})
    shipping = KeyRing.load(tmp_path / "key", {})
    sink = MemorySink()
    place = tmp_path / "journal"
    with Journal(place, ring, segment_bytes=1000) as journal, Shipper(place, shipping, sink) as shipper:
        for number in range(30):
            if number % 10 == 5:
                ring.rotate()
            journal.append(make_record(number))
            if number % 7 == 0:
                shipper.ship_once()
        shipper.ship_once()
    assert sink.numbers == list(range(30))
    assert len(shipping.ids) == 4


@pytest.mark.parametrize("poison", [[0], [9], [4], [3, 4], [0, 5, 9], list(range(10))])
def test_refused_records_go_to_quarantine_alone(
    tmp_path: Path,
    ring: KeyRing,
    make_record: MakeRecord,
    poison: list[int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    fill(tmp_path, ring, [make_record(number, size=100) for number in range(10)])
    (path,) = segments(tmp_path)
    sink = MemorySink(refuses=poison)
    with Shipper(tmp_path, ring, sink) as shipper:
        assert shipper.ship_once() == 10 - len(poison)
        assert shipper.status.quarantined == len(poison)
    assert sink.numbers == [number for number in range(10) if number not in poison]
    assert segments(tmp_path) == []
    kept = {}
    for place in (tmp_path / "quarantine").iterdir():
        (entry,) = SegmentReader(place, ring, name=path.name).entries()
        assert entry.record is not None
        kept[int.from_bytes(entry.record.id, "big")] = entry.record
    assert kept == {number: make_record(number, size=100) for number in poison}
    assert caplog.text.count("a value it cannot hold") == len(poison)


def test_a_record_that_breaks_the_sink_does_not_stop_the_others(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, ring, [make_record(number) for number in range(5)])
    sink = MemorySink(breaks_on=3)
    with Shipper(tmp_path, ring, sink) as shipper:
        assert shipper.ship_once() == 4
        assert shipper.status.quarantined == 1
    assert sink.numbers == [0, 1, 2, 4]
    assert "RecursionError" in caplog.text
    assert "content" not in caplog.text


def test_a_sink_that_breaks_on_everything_leaves_all_in_the_journal(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    fill(tmp_path, ring, [make_record(number) for number in range(5)])
    sink = MemorySink()
    with Shipper(tmp_path, ring, sink) as shipper:
        sink.broken = True
        with pytest.raises(RecursionError):
            shipper.ship_once()
        assert shipper.status.quarantined == 0
        assert not list((tmp_path / "quarantine").iterdir())
        sink.broken = False
        assert shipper.ship_once() == 5
    assert sink.numbers == [0, 1, 2, 3, 4]


def test_database_away_then_back(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    sink = MemorySink()
    sink.away = True
    stop = threading.Event()
    thread = threading.Thread(
        target=Shipper(tmp_path, ring, sink, batch_records=10, poll_seconds=0.01).run, args=(stop,)
    )
    with Journal(tmp_path, ring, segment_bytes=3000) as journal:
        journal.append(make_record(0))
        thread.start()
        wait_until(lambda: sink.tries >= 3 and status_of(tmp_path).away)
        for number in range(1, 100):
            journal.append(make_record(number))
        assert backlog(tmp_path).segments == len(segments(tmp_path))
        assert status_of(tmp_path).last_error == "SinkAway: no route to the database (ConnectionRefusedError)"
        sink.away = False
        wait_until(lambda: len(sink.numbers) == 100 and not status_of(tmp_path).away)
        sink.away = True
        wait_until(lambda: sink.tries > 0 and len(segments(tmp_path)) == 1)
        journal.append(make_record(100))
        wait_until(lambda: status_of(tmp_path).away)
        sink.away = False
        stop.set()
        thread.join()
    assert sink.numbers == list(range(101))
    assert status_of(tmp_path).pending_bytes == 0
    assert "secret" not in caplog.text + str(status_of(tmp_path))


def test_what_was_journalled_last_is_shipped_on_the_way_out(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    sink = MemorySink()
    stop = threading.Event()
    thread = threading.Thread(target=Shipper(tmp_path, ring, sink, poll_seconds=60.0).run, args=(stop,))
    thread.start()
    wait_until(lambda: read_status(tmp_path) is not None)
    fill(tmp_path, ring, [make_record(1)])
    stop.set()
    thread.join()
    assert sink.numbers == [1]


def test_a_second_shipper_waits_its_turn(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, ring, [make_record(1)])
    sink = MemorySink()
    first, second = (Shipper(tmp_path, ring, sink, poll_seconds=0.01) for _ in range(2))
    first.ship_once()
    with pytest.raises(ShipperBusy, match=str(tmp_path)):
        second.ship_once()
    stop = threading.Event()
    thread = threading.Thread(target=second.run, args=(stop,))
    thread.start()
    wait_until(lambda: "waiting for it to end" in caplog.text)
    first.close()
    fill(tmp_path, ring, [make_record(2)])
    wait_until(lambda: sink.numbers == [1, 2])
    stop.set()
    thread.join()


def test_a_waiting_shipper_can_be_stopped(tmp_path: Path, ring: KeyRing) -> None:
    with Shipper(tmp_path, ring, MemorySink()) as first:
        first.ship_once()
        stop = threading.Event()
        thread = threading.Thread(
            target=Shipper(tmp_path, ring, MemorySink(), poll_seconds=0.01).run, args=(stop,)
        )
        thread.start()
        stop.set()
        thread.join()


def test_impossible_directory_is_named(tmp_path: Path, ring: KeyRing) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="file"):
        Shipper(tmp_path / "file", ring, MemorySink()).ship_once()


def test_duties_are_done_and_their_faults_counted(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    done: list[str] = []

    def good() -> None:
        done.append("good")

    def bad() -> None:
        raise ValueError("content")

    fill(tmp_path, ring, [make_record(number) for number in range(5)])
    sink = MemorySink()
    every = [(0.0, good), (3600.0, bad)]
    with Shipper(tmp_path, ring, sink, batch_records=1, every=every) as shipper:
        assert shipper.ship_once() == 5
        assert shipper.status.duty_faults == 1
    assert len(done) >= 5


def test_backlog_counts_what_is_not_acknowledged(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    assert backlog(tmp_path / "absent") == Backlog(0, 0, None)
    assert read_status(tmp_path) is None
    with Journal(tmp_path, ring) as journal, Shipper(tmp_path, ring, MemorySink()) as shipper:
        before = time.time_ns() // 1000
        journal.append(make_record(1))
        (path,) = segments(tmp_path)
        waiting = backlog(tmp_path)
        assert (waiting.bytes, waiting.segments) == (path.stat().st_size - HEADER_BYTES, 1)
        shipper.ship_once()
        assert backlog(tmp_path) == Backlog(0, 0, None)
        between = time.time_ns() // 1000
        journal.append(make_record(2))
        assert waiting.oldest_us is not None
        assert before <= waiting.oldest_us <= between
        waiting = backlog(tmp_path)
        assert waiting.oldest_us is not None
        assert between <= waiting.oldest_us


def test_damaged_status_file_is_as_none(tmp_path: Path) -> None:
    (tmp_path / "shipper.json").write_bytes(b"{")
    assert read_status(tmp_path) is None


def test_killed_shippers_and_writers_lose_and_double_nothing(tmp_path: Path) -> None:
    """Eight writers and eight shippers, each killed at a random moment; then a clean end."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    journal, key, database = tmp_path / "journal", tmp_path / "key", tmp_path / "calls.db"
    KeyRing.load(key, {})
    ship = [sys.executable, str(SHIPPER), str(journal), str(key), str(database)]
    kept: set[int] = set()
    for number in range(8):
        write = [sys.executable, str(WRITER), str(journal), str(key), str(number * 1_000_000)]
        with subprocess.Popen(write, stdout=subprocess.PIPE) as writer, subprocess.Popen(ship) as shipper:
            assert writer.stdout is not None
            goal = _shipped(database) + moments.randint(1, 200)
            said = [int(writer.stdout.readline()) for _ in range(moments.randint(20, 150))]
            writer.kill()
            said += [int(line) for line in writer.stdout]
            wait_until(lambda goal=goal: _shipped(database) >= goal or not segments(journal))  # type: ignore[misc]
            shipper.kill()
            kept.update(said)
    with subprocess.Popen(ship) as shipper:
        wait_until(lambda: status_of(journal).pid == shipper.pid and segments(journal) == [])
        shipper.terminate()
    assert shipper.returncode == 0
    with sqlite3.connect(database) as connection:
        found = {int.from_bytes(row[0], "big") for row in connection.execute("SELECT id FROM calls")}
        counted = connection.execute("SELECT sum(calls) FROM total").fetchone()[0]
        left = connection.execute("SELECT count(*) FROM positions").fetchone()[0]
    connection.close()
    assert kept <= found
    assert len(found - kept) <= 8, "at most one record of each writer was kept and not yet said to be"
    assert (counted, left) == (len(found), 0)
    assert status_of(journal).corrupt == 0


def _shipped(database: Path) -> int:
    if not database.exists():
        return 0
    connection = sqlite3.connect(database, timeout=30)
    try:
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])
    except sqlite3.OperationalError:  # the shipper has not made the table yet
        return 0
    finally:
        connection.close()
