"""Quarantine: where the shipper keeps, still encrypted, what it could neither read nor store.

A refused record lies in `SEGMENT@OFFSET`: its segment's header and its frame, readable with
`SegmentReader(path, ring, name=SEGMENT)`. A damaged segment lies there whole under its own name.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from store.segment import HEADER_BYTES, Entry

DIRECTORY: Final = "quarantine"


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
