"""The sink that writes to SQLite or PostgreSQL: one transaction a batch, each record once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from store import call_id, parts_list, rollup
from store.arrivals import note_arrivals
from store.contents import Codec, ContentCache, Reference, Seals, Staged, check_sweeps, chunks
from store.conversation import Chain
from store.database import execute_many, upsert, writing
from store.detail import Circumstances, Detail, encode_circumstances, encode_detail
from store.errors import SinkAway, SinkError, SinkRefused
from store.parts_list import PartsList
from store.prices import Prices
from store.reading import REQUEST_RAW, Body, Reader, Reading
from store.record import Record
from store.schema import calls
from store.schema import positions as positions_table
from store.series import Labels, SeriesIndex, storable
from store.sessions import Sessions
from store.sink import Position
from store.template import NotSplittable


@dataclass(slots=True)
class _Call:
    """One call of a batch, with its contents staged."""

    reading: Reading
    circumstances: Reference
    request: list[Reference]
    response: list[Reference]
    behind: tuple[int, ...]
    ahead: tuple[int, ...]
    day: int
    labels: Labels

    @property
    def references(self) -> list[Reference]:
        return [self.circumstances, *self.request, *self.response]


class DatabaseSink:
    """Implements store.sink.Sink. Not shared between threads; one shipper has one."""

    def __init__(self, engine: Engine, sealer: Seals, digest_key: bytes, prices: Prices) -> None:
        self._engine = engine
        self._codec = Codec(sealer)
        self._sealer = sealer
        self._digest_key = digest_key
        self._cache = ContentCache()
        self._series = SeriesIndex()
        self._sessions = Sessions(Chain(digest_key))
        self._reader = Reader(prices)

    def write(self, records: Sequence[Record], positions: Sequence[Position]) -> int:
        """Store a batch and its positions in one transaction; returns how many records were new."""
        staged = Staged(self._cache, self._codec, self._digest_key)
        labels: dict[Labels, int] = {}
        sessions: list[int] = []
        try:
            with writing(self._engine) as connection:
                if check_sweeps(connection, self._cache):
                    self._sessions.forget()
                new = _new(connection, records)
                batch = [self._stage(staged, self._reader.read(record)) for record in new]
                if batch:
                    staged.store(connection, ((call.day, call.references) for call in batch))
                    labels = self._series.ids(connection, {call.labels for call in batch})
                    sessions = self._sessions.assign(connection, batch)
                    self._insert(connection, staged, batch, labels, sessions)
                _write_positions(connection, positions)
        except (SQLAlchemyError, OverflowError) as error:
            raise _translated(error) from error
        staged.committed()
        self._series.committed(labels)
        self._sessions.committed(batch, sessions)
        return len(batch)

    def positions(self) -> Mapping[str, int]:
        """Committed offsets by segment name."""
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(select(positions_table.c.segment, positions_table.c.offset))
                return {row[0]: row[1] for row in rows}
        except SQLAlchemyError as error:
            raise _translated(error) from error

    def forget(self, segments: Sequence[str]) -> None:
        """Drop the positions of segments whose files were deleted."""
        try:
            with writing(self._engine) as connection:
                for chunk in chunks(segments):
                    connection.execute(delete(positions_table).where(positions_table.c.segment.in_(chunk)))
        except SQLAlchemyError as error:
            raise _translated(error) from error

    def _stage(self, staged: Staged, reading: Reading) -> _Call:
        record = reading.record
        try:
            request, turns = staged.body(reading.request)
        except NotSplittable:
            reading.request, reading.flags = Body.raw(record.request or b""), reading.flags | REQUEST_RAW
            request, turns = staged.body(reading.request)
        response, _ = staged.body(reading.response)
        behind, ahead = self._sessions.place(reading, turns)
        return _Call(
            reading=reading,
            circumstances=staged.part(encode_circumstances(Circumstances.of(record))),
            request=request,
            response=response,
            behind=behind,
            ahead=ahead,
            day=call_id.day(record.id),
            labels=self._series.labels(record),
        )

    def _insert(
        self,
        connection: Connection,
        staged: Staged,
        batch: Sequence[_Call],
        labels: Mapping[Labels, int],
        sessions: Sequence[int],
    ) -> None:
        numbers = [labels[call.labels] for call in batch]
        rows = [
            self._row(staged, call, series, session)
            for call, series, session in zip(batch, numbers, sessions, strict=True)
        ]
        execute_many(connection, insert(calls), rows)
        recognised = [call.reading.record.id for call in batch if call.labels.task]
        note_arrivals(connection, recognised, time.time_ns() // 1000)
        readings = (call.reading for call in batch)
        rollup.add(connection, rollup.tally(zip(numbers, readings, strict=True)))

    def _row(self, staged: Staged, call: _Call, series: int, session: int) -> dict[str, Any]:
        reading, record, usage = call.reading, call.reading.record, call.reading.usage
        counts = (*reading.request.counts, *reading.response.counts)
        ids = staged.ids(call.references)
        detail = encode_detail(Detail.of(record, reading.response.volatile))
        return {
            "id": record.id,
            "started": record.started_us,
            "duration": record.duration_us,
            "first_byte": record.first_byte_us if record.first_byte_us >= 0 else None,
            "overhead": record.overhead_us,
            "series": series,
            "status": record.status,
            "flags": reading.flags,
            "session": session,
            "confidence": record.confidence,
            "fallback": storable(record.fallback),
            "error": reading.error,
            "usage_source": reading.usage_source,
            "input": usage.input,
            "cached_input": usage.cached_input,
            "cache_write": usage.cache_write,
            "output": usage.output,
            "reasoning": usage.reasoning,
            "cost": reading.cost,
            "list_cost": reading.list_cost,
            "request_size": record.request_size,
            "response_size": record.response_size,
            "parts": parts_list.pack(PartsList(len(call.request), counts, ids)),
            "detail": self._sealer.seal(detail, record.id),
        }


def _new(connection: Connection, records: Sequence[Record]) -> list[Record]:
    """The records that are not stored yet, each once, in order of their start."""
    unique = {record.id: record for record in records}
    known: set[bytes] = set()
    for chunk in chunks(list(unique)):
        known.update(
            bytes(row[0]) for row in connection.execute(select(calls.c.id).where(calls.c.id.in_(chunk)))
        )
    return sorted((unique[number] for number in unique if number not in known), key=lambda record: record.id)


def _write_positions(connection: Connection, positions: Sequence[Position]) -> None:
    if not positions:
        return
    statement = upsert(connection, positions_table)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["segment"], set_={"offset": statement.excluded.offset}
        ),
        [{"segment": position.segment, "offset": position.offset} for position in positions],
    )


def _translated(error: SQLAlchemyError | OverflowError) -> SinkError:
    """Bad values are refused for ever; everything else may do later. Never names values: they may be content."""
    cause = getattr(error, "orig", None) or error
    if isinstance(error, DataError | IntegrityError | OverflowError):
        return SinkRefused(f"the database refuses a value of this batch ({type(cause).__name__})")
    lines = str(cause).strip().splitlines()
    return SinkAway(lines[0] if lines else type(cause).__name__)
