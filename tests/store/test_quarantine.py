"""What lies in quarantine is shipped again, or forgotten when it is old."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from store.errors import SinkAway
from store.keyring import KeyRing, MasterKey
from store.quarantine import Quarantine
from store.record import Record
from store.segment import SegmentReader
from store.shipper import Shipper
from tests.store.memory_sink import MemorySink, fill

MakeRecord = Callable[..., Record]


def refused(journal: Path, ring: KeyRing, make_record: MakeRecord) -> MemorySink:
    """A journal of five records, of which the sink refused two."""
    sink = MemorySink(refuses=[1, 3])
    fill(journal, ring, [make_record(number, size=50) for number in range(5)])
    with Shipper(journal, ring, sink) as shipper:
        assert shipper.ship_once() == 3
    return sink


def damaged(journal: Path, ring: KeyRing, make_record: MakeRecord) -> MemorySink:
    """A journal of five records, the third of which cannot be read."""
    fill(journal, ring, [make_record(number) for number in range(5)])
    (path,) = journal.glob("*.seg")
    third = list(SegmentReader(path, ring).entries())[2]
    data = bytearray(path.read_bytes())
    data[third.start + 40] ^= 1
    path.write_bytes(data)
    sink = MemorySink()
    with Shipper(journal, ring, sink) as shipper:
        assert shipper.ship_once() == 4
    return sink


def test_there_is_nothing_before_there_is_something(tmp_path: Path, ring: KeyRing) -> None:
    kept = Quarantine(tmp_path)
    assert (kept.files(), kept.ship_again(ring, MemorySink()), kept.forget(1e12)) == ([], [], 0)


def test_what_is_taken_the_second_time_is_deleted(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    sink = refused(tmp_path, ring, make_record)
    kept = Quarantine(tmp_path)
    assert len(kept.files()) == 2
    first = kept.ship_again(ring, sink)
    assert [(tried.stored, tried.refused, tried.trouble) for tried in first] == [(0, 1, "SinkRefused")] * 2
    sink.refuses = {3}
    second = kept.ship_again(ring, sink)
    assert sorted((tried.stored, tried.done) for tried in second) == [(0, False), (1, True)]
    sink.refuses = set()
    assert [(tried.stored, tried.done) for tried in kept.ship_again(ring, sink)] == [(1, True)]
    assert kept.files() == []
    assert sorted(sink.numbers) == [0, 1, 2, 3, 4]


def test_nothing_is_deleted_while_the_database_is_away(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    sink = refused(tmp_path, ring, make_record)
    sink.away = True
    with pytest.raises(SinkAway):
        Quarantine(tmp_path).ship_again(ring, sink)
    assert len(Quarantine(tmp_path).files()) == 2


def test_a_damaged_segment_brings_nothing_twice_and_stays(
    tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    sink = damaged(tmp_path, ring, make_record)
    (tried,) = Quarantine(tmp_path).ship_again(ring, sink)
    assert (tried.stored, tried.damaged, tried.trouble, tried.done) == (0, 1, "damaged", False)
    assert sink.numbers == [0, 1, 3, 4]
    assert Quarantine(tmp_path).files() == [tried.path]


def test_what_another_key_wrote_waits_for_it(tmp_path: Path, ring: KeyRing, make_record: MakeRecord) -> None:
    sink = refused(tmp_path, ring, make_record)
    sink.refuses = set()
    stranger = MasterKey.generate()
    tries = Quarantine(tmp_path).ship_again(KeyRing([stranger]), sink)
    assert [(tried.done, tried.trouble) for tried in tries] == [(False, "KeyMissing")] * 2
    assert all(
        tried.done for tried in Quarantine(tmp_path).ship_again(KeyRing([stranger, ring.active]), sink)
    )


def test_what_is_no_segment_stays(tmp_path: Path, ring: KeyRing) -> None:
    (tmp_path / "quarantine").mkdir()
    (tmp_path / "quarantine" / "0.seg").write_bytes(b"x" * 100)
    (tmp_path / "quarantine" / "1.seg").write_bytes(b"")
    tries = Quarantine(tmp_path).ship_again(ring, MemorySink())
    assert [(tried.done, tried.trouble) for tried in tries] == [(False, "Tampered"), (False, "damaged")]


def test_old_files_are_forgotten(tmp_path: Path, ring: KeyRing, make_record: MakeRecord) -> None:
    refused(tmp_path, ring, make_record)
    kept = Quarantine(tmp_path)
    old, young = kept.files()
    os.utime(old, (1000, 1000))
    assert kept.forget(2000) == 1
    assert kept.files() == [young]
