"""The sink: where the shipper puts what it read from the journal. The database implements it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from store.errors import SinkAway, SinkRefused
from store.record import Record

__all__ = ["Position", "Sink", "SinkAway", "SinkRefused"]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a segment has been read."""

    segment: str
    """File name, unique for ever."""
    offset: int
    """Bytes: the end of the last record in the batch."""


class Sink(Protocol):
    """Takes batches of records, and remembers with them how far the journal was read."""

    def write(self, records: Sequence[Record], positions: Sequence[Position]) -> int:
        """Store a batch and its positions in one transaction; returns how many records were new.

        Idempotent by record id; `records` may be empty when only positions moved. Raises SinkAway when the database
        cannot be reached, SinkRefused for a record that it can never take; in both cases nothing was stored. Their
        messages are logged and shown, so they hold neither content nor secrets. Any other exception counts as a
        refusal, except OSError and MemoryError, after which the batch is tried again.
        """
        ...

    def positions(self) -> Mapping[str, int]:
        """Committed offsets by segment name; raises SinkAway."""
        ...

    def forget(self, segments: Sequence[str]) -> None:
        """Drop the positions of segments whose files were deleted; raises SinkAway."""
        ...
