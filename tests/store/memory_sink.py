"""A sink without a database, and journals to ship into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from store.journal import Journal
from store.keyring import KeyRing
from store.record import Record
from store.sink import Position, SinkAway, SinkRefused


class MemorySink:
    """A sink in memory that can be away, and that refuses the records whose numbers it is told."""

    def __init__(self, refuses: Sequence[int] = (), breaks_on: int = -1) -> None:
        self.numbers: list[int] = []
        self.offsets: dict[str, int] = {}
        self.batches: list[int] = []
        self.away = False
        self.broken = False
        self.tries = 0
        self.refuses = set(refuses)
        self._breaks_on = breaks_on

    def write(self, records: Sequence[Record], positions: Sequence[Position]) -> int:
        self._reach()
        numbers = [int.from_bytes(record.id, "big") for record in records]
        if self.refuses & set(numbers):
            raise SinkRefused("a value it cannot hold")
        if self.broken or self._breaks_on in numbers:
            raise RecursionError("content")
        new = [number for number in numbers if number not in self.numbers]
        self.numbers += new
        self.batches.append(len(records))
        self.offsets.update((position.segment, position.offset) for position in positions)
        return len(new)

    def positions(self) -> Mapping[str, int]:
        self._reach()
        return dict(self.offsets)

    def forget(self, segments: Sequence[str]) -> None:
        self._reach()
        for segment in segments:
            self.offsets.pop(segment, None)

    def _reach(self) -> None:
        self.tries += 1
        if self.away:
            raise SinkAway("no route to the database") from ConnectionRefusedError("secret")


def fill(directory: Path, ring: KeyRing, records: Sequence[Record]) -> None:
    """One finished segment that holds these records."""
    with Journal(directory, ring) as journal:
        assert all(journal.append(record) for record in records)
