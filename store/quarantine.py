"""Quarantine: where the shipper keeps, still encrypted, what it could neither read nor store.

A refused record lies in `SEGMENT@OFFSET`: its segment's header and its frame. A damaged segment lies there whole under
its own name. Both can be shipped again, by a newer program or after the database was mended, until they are of the age
at which calls are deleted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from store.errors import SealError, SinkAway
from store.keyring import KeyRing
from store.record import Record
from store.segment import HEADER_BYTES, Entry, SegmentReader
from store.sink import Sink

DIRECTORY: Final = "quarantine"


@dataclass(frozen=True, slots=True)
class SecondTry:
    """What became of one file that was shipped again."""

    path: Path
    stored: int = 0
    """Records that were new to the database."""
    refused: int = 0
    """Records that it still refuses."""
    damaged: int = 0
    """Stretches that still cannot be read; 1 where that is the whole file."""
    trouble: str = ""
    """Kinds of the last fault; holds no content."""

    @property
    def done(self) -> bool:
        """Whether everything in the file is in the database."""
        return not self.refused and not self.damaged


class Quarantine:
    """The `quarantine` folder of a journal directory; made when something goes there."""

    def __init__(self, journal: Path) -> None:
        self.directory = journal / DIRECTORY

    def keep_segment(self, path: Path) -> None:
        """Keep a segment beyond its deletion; it costs no further space while both names exist."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileExistsError):
            os.link(path, self.directory / path.name)

    def keep_record(self, path: Path, entry: Entry) -> Path:
        """Copy one record's frame out of its segment, durably; returns the file."""
        with path.open("rb") as segment:
            header = segment.read(HEADER_BYTES)
            segment.seek(entry.start)
            frame = segment.read(entry.end - entry.start)
        self.directory.mkdir(mode=0o700, exist_ok=True)
        place = self.directory / f"{path.name}@{entry.start}"
        fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(header + frame)
            file.flush()
            os.fsync(fd)
        return place

    def files(self) -> list[Path]:
        """What lies there, the oldest first; nothing where the folder was never made."""
        try:
            return sorted(path for path in self.directory.iterdir() if path.is_file())
        except FileNotFoundError:
            return []

    def ship_again(self, ring: KeyRing, sink: Sink) -> list[SecondTry]:
        """Offer everything to the sink once more, and delete each file that it has taken whole.

        Records that are in the database already are not stored twice. Raises SinkAway, OSError."""
        tries = []
        for path in self.files():
            tried = _ship(path, ring, sink)
            if tried.done:
                path.unlink(missing_ok=True)
            tries.append(tried)
        return tries

    def forget(self, before: float) -> int:
        """Delete files that were written before a moment (Unix seconds); returns how many. Raises OSError."""
        old = [path for path in self.files() if path.stat().st_mtime < before]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)


def _ship(path: Path, ring: KeyRing, sink: Sink) -> SecondTry:
    segment, copied, _ = path.name.partition("@")
    try:
        entries = list(SegmentReader(path, ring, name=segment if copied else None).entries())
    except SealError as error:
        return SecondTry(path, damaged=1, trouble=type(error).__name__)
    faults = [entry.fault for entry in entries if entry.fault]
    records = [entry.record for entry in entries if entry.record is not None]
    if not entries:
        return SecondTry(path, damaged=1, trouble="damaged")
    stored, refused, trouble = _offer(records, sink)
    return SecondTry(path, stored, refused, len(faults), trouble or next(iter(faults), ""))


def _offer(records: Sequence[Record], sink: Sink) -> tuple[int, int, str]:
    """How many records were new, how many refused, and the kind of the last refusal."""
    stored = refused = 0
    trouble = ""
    for record in records:
        try:
            stored += sink.write([record], [])
        except (SinkAway, OSError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  whatever a record breaks, the next one must pass
            refused += 1
            trouble = type(error).__name__
    return stored, refused, trouble
