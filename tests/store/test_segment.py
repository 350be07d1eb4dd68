from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.errors import KeyMissing, Tampered, UnknownVersion
from store.journal import Journal
from store.keyring import KeyRing, MasterKey
from store.record import Record
from store.segment import HEADER_BYTES, SUFFIX, Entry, SegmentReader

MakeRecord = Callable[..., Record]
SIZES = (0, 1, 700, 40, 0, 3000, 16, 250)
REUSED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Written:
    """A segment, what was written into it, and where each record ends."""

    path: Path
    ring: KeyRing
    records: list[Record]
    data: bytes
    ends: list[int]

    def read(self, data: bytes) -> tuple[list[Entry], SegmentReader]:
        """Read other bytes under this segment's name."""
        self.path.write_bytes(data)
        reader = SegmentReader(self.path, self.ring)
        return list(reader.entries()), reader

    def frames(self) -> list[bytes]:
        return [self.data[a:b] for a, b in zip([HEADER_BYTES, *self.ends], self.ends, strict=False)]


@pytest.fixture
def written(tmp_path: Path, ring: KeyRing, make_record: MakeRecord) -> Written:
    records = [make_record(number, size=size) for number, size in enumerate(SIZES)]
    with Journal(tmp_path, ring) as journal:
        assert all(journal.append(record) for record in records)
    (path,) = tmp_path.glob("*" + SUFFIX)
    ends = [entry.end for entry in SegmentReader(path, ring).entries()]
    return Written(path, ring, records, path.read_bytes(), ends)


def good(entries: list[Entry]) -> list[Record]:
    return [entry.record for entry in entries if entry.record is not None]


def faults(entries: list[Entry]) -> list[str]:
    return [entry.fault for entry in entries if entry.fault]


def test_records_come_back_in_order(written: Written) -> None:
    entries, reader = written.read(written.data)
    assert good(entries) == written.records
    assert not faults(entries)
    assert reader.torn == 0
    assert entries[-1].end == len(written.data)


def test_nothing_of_a_record_is_readable_on_disk(written: Written) -> None:
    for text in (b"gpt-4o", b"openai", b"/v1/chat", b"no rule matched"):
        assert text not in written.data


def test_reading_resumes_at_every_end(written: Written) -> None:
    for index, end in enumerate(written.ends):
        rest = list(SegmentReader(written.path, written.ring).entries(end))
        assert good(rest) == written.records[index + 1 :]
        assert not faults(rest)


@REUSED
@given(data=st.data())
def test_a_cut_segment_gives_a_prefix(written: Written, data: st.DataObject) -> None:
    size = data.draw(st.integers(0, len(written.data)))
    entries, reader = written.read(written.data[:size])
    whole = [end for end in written.ends if end <= size]
    assert good(entries) == written.records[: len(whole)]
    assert not faults(entries)
    rest = size - (whole[-1] if whole else HEADER_BYTES if size >= HEADER_BYTES else 0)
    assert reader.torn == rest


@REUSED
@given(data=st.data())
def test_a_segment_that_grows_by_pieces_gives_everything_once(written: Written, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written.data)), max_size=6)))
    reader = SegmentReader(written.path, written.ring)
    seen: list[Entry] = []
    for size in [*cuts, len(written.data)]:
        written.path.write_bytes(written.data[:size])
        seen += reader.entries(seen[-1].end if seen else 0)
    assert good(seen) == written.records
    assert not faults(seen)


@settings(REUSED, max_examples=300)
@given(data=st.data())
def test_a_flipped_bit_costs_one_record_at_most_and_forges_none(
    written: Written, data: st.DataObject
) -> None:
    place = data.draw(st.integers(HEADER_BYTES, len(written.data) - 1))
    changed = bytearray(written.data)
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    entries, reader = written.read(bytes(changed))
    hit = sum(end <= place for end in written.ends)
    assert good(entries) == written.records[:hit] + written.records[hit + 1 :]
    assert faults(entries) == ["damaged"] or (hit == len(SIZES) - 1 and reader.torn)


@REUSED
@given(place=st.integers(0, HEADER_BYTES - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_header_forges_nothing(written: Written, place: int, bit: int) -> None:
    changed = bytearray(written.data)
    changed[place] ^= 1 << bit
    try:
        entries, _ = written.read(bytes(changed))
    except (KeyMissing, Tampered, UnknownVersion):
        return
    assert not good(entries)
    assert faults(entries) == ["damaged"] * len(SIZES)


@REUSED
@given(data=st.data())
def test_an_overwritten_stretch_spares_what_lies_around_it(written: Written, data: st.DataObject) -> None:
    start = data.draw(st.integers(HEADER_BYTES, len(written.data) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=400))[: len(written.data) - start]
    changed = written.data[:start] + noise + written.data[start + len(noise) :]
    entries, _ = written.read(changed)
    frames = zip([HEADER_BYTES, *written.ends], written.ends, written.records, strict=False)
    untouched = [record for begin, end, record in frames if changed[begin:end] == written.data[begin:end]]
    assert good(entries) == untouched


def test_a_dropped_frame_is_noticed(written: Written) -> None:
    frames = written.frames()
    entries, _ = written.read(written.data[:HEADER_BYTES] + b"".join(frames[:3] + frames[4:]))
    assert good(entries) == written.records[:3] + written.records[4:]
    assert faults(entries) == ["missing"]


def test_a_repeated_frame_is_noticed(written: Written) -> None:
    frames = written.frames()
    entries, _ = written.read(written.data[:HEADER_BYTES] + b"".join([*frames, frames[2]]))
    assert good(entries) == written.records
    assert faults(entries) == ["repeated"]


def test_exchanged_frames_are_noticed(written: Written) -> None:
    frames = written.frames()
    frames[1], frames[2] = frames[2], frames[1]
    entries, _ = written.read(written.data[:HEADER_BYTES] + b"".join(frames))
    assert faults(entries) == ["missing", "repeated", "missing"] or faults(entries) == ["missing", "repeated"]
    assert [record for record in good(entries) if record not in written.records] == []


def test_a_segment_under_another_name_is_refused_unless_the_old_name_is_given(written: Written) -> None:
    moved = written.path.rename(written.path.with_name("other" + SUFFIX))
    assert not good(list(SegmentReader(moved, written.ring).entries()))
    assert good(list(SegmentReader(moved, written.ring, name=written.path.name).entries())) == written.records


def test_frames_of_another_segment_are_refused(
    written: Written, tmp_path: Path, ring: KeyRing, make_record: MakeRecord
) -> None:
    with Journal(tmp_path / "other", ring) as journal:
        journal.append(make_record(99))
    (other,) = (tmp_path / "other").glob("*" + SUFFIX)
    entries, _ = written.read(written.data + other.read_bytes()[HEADER_BYTES:])
    assert good(entries) == written.records
    assert faults(entries) == ["damaged"]


def test_missing_key_is_named(written: Written) -> None:
    stranger = KeyRing([MasterKey.generate()])
    with pytest.raises(KeyMissing, match=written.ring.active.id.hex()):
        list(SegmentReader(written.path, stranger).entries())


def test_other_files_are_no_segments(written: Written) -> None:
    with pytest.raises(Tampered, match="not a journal segment"):
        written.read(b"x" * 100)
    newer = bytearray(written.data)
    newer[7] = 2
    with pytest.raises(UnknownVersion, match="version 2"):
        written.read(bytes(newer))
