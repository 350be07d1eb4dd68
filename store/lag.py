"""How far the database is behind the journal, readable by any process without a database or a key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from store.segment import HEADER_BYTES, SUFFIX, frame_time

STATUS_FILE: Final = "shipper.json"


class ShipperStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the shipper last said of itself. Counts go on over restarts; times are Unix microseconds, 0 for never."""

    pid: int = 0
    updated_us: int = 0
    last_success_us: int = 0
    """When the database last took a batch, or there was nothing left to ship."""
    last_error: str = ""
    """Kind of the last fault; holds no content."""
    last_error_us: int = 0
    away: bool = False
    """Whether the database could not be reached at the last try."""
    shipped: int = 0
    """Records that were new to the database."""
    corrupt: int = 0
    """Stretches of segments that could not be read; the segments are kept in quarantine."""
    torn: int = 0
    """Incomplete last records of killed writers, discarded."""
    quarantined: int = 0
    """Records that the database refused."""
    unreadable: int = 0
    """Segments left alone because their key is missing, a newer program wrote them, or the disk fails."""
    duty_faults: int = 0
    pending_bytes: int = 0
    oldest_pending_us: int | None = None
    acknowledged: dict[str, int] = {}
    """Committed offsets by segment."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was journalled and is not yet acknowledged."""

    bytes: int
    segments: int
    oldest_us: int | None
    """When the oldest waiting record was written (Unix microseconds); None when nothing waits."""


def read_status(directory: Path) -> ShipperStatus | None:
    """Read what the shipper of a journal last said; None when none ever ran there."""
    try:
        return msgspec.json.decode((directory / STATUS_FILE).read_bytes(), type=ShipperStatus)
    except (OSError, msgspec.MsgspecError):
        return None


def write_status(directory: Path, status: ShipperStatus) -> None:
    """Replace the status as a whole; raises OSError."""
    fresh = directory / (STATUS_FILE + ".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.json.encode(status))
    fresh.replace(directory / STATUS_FILE)


def segments(directory: Path) -> list[Path]:
    """Segments of a journal, the oldest first; none when the directory does not exist."""
    try:
        with os.scandir(directory) as found:
            return sorted(directory / entry.name for entry in found if entry.name.endswith(SUFFIX))
    except FileNotFoundError:
        return []


def backlog(directory: Path) -> Backlog:
    """Measure what waits in a journal: bytes beyond the offsets that the shipper wrote into its status."""
    status = read_status(directory)
    return measure(directory, status.acknowledged if status else {})


def measure(directory: Path, acknowledged: Mapping[str, int]) -> Backlog:
    """Measure what waits in a journal beyond the given offsets."""
    total = count = 0
    oldest: int | None = None
    for path in segments(directory):
        offset = max(acknowledged.get(path.name, 0), HEADER_BYTES)
        try:
            pending = path.stat().st_size - offset
            if pending <= 0:
                continue
            if oldest is None or path.name < f"{oldest:016d}":  # a segment begun later holds nothing older
                written = _written(path, offset)
                oldest = written if oldest is None else min(oldest, written)
        except FileNotFoundError:  # acknowledged and deleted since the directory was listed
            continue
        total += pending
        count += 1
    return Backlog(total, count, oldest)


def _written(path: Path, offset: int) -> int:
    """When the first waiting frame of a segment was written; the last write's time if its head cannot be read."""
    with path.open("rb") as file:
        written = frame_time(file, offset)
    return path.stat().st_mtime_ns // 1000 if written is None else written
