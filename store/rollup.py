"""Rollups: what /stats reads instead of calls, kept by minute, hour, day and ever."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, tuple_

from store import histogram
from store.contents import chunks
from store.database import execute_many, upsert
from store.histogram import Histogram
from store.reading import Reading
from store.schema import rollups
from store.window import LEVELS, bucket_start

COUNTERS: Final = (
    "calls",
    "errors",
    "unpriced",
    "input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
    "cost",
    "list_cost",
)
"""Columns that simply add up."""
_HISTOGRAMS: Final = ("latency", "first_byte", "overhead")
_CHUNK: Final = 200
_causes = msgspec.msgpack.Decoder(dict[str, int])

Key = tuple[int, int, int]
"""Level, bucket and series."""


@dataclass(slots=True)
class Counts:
    """What simply adds up."""

    counters: list[int] = field(default_factory=lambda: [0] * len(COUNTERS))

    def __getitem__(self, counter: str) -> int:
        return self.counters[COUNTERS.index(counter)]

    def add(self, other: Counts) -> None:
        """Add the counters of another set of calls."""
        self.counters = list(map(operator.add, self.counters, other.counters))


@dataclass(slots=True)
class Measures(Counts):
    """What is known of a set of calls; adding two sets gives the measures of both."""

    fallbacks: dict[str, int] = field(default_factory=dict)
    latency: Histogram = field(default_factory=dict)
    first_byte: Histogram = field(default_factory=dict)
    overhead: Histogram = field(default_factory=dict)

    def count(self, reading: Reading) -> None:
        """Add one call."""
        record, usage = reading.record, reading.usage
        values = (
            1,
            int(reading.failed),
            int(reading.unpriced),
            usage.input,
            usage.cached_input,
            usage.cache_write,
            usage.output,
            usage.reasoning,
            reading.cost or 0,
            reading.list_cost or 0,
        )
        self.counters = list(map(operator.add, self.counters, values))
        if record.fallback:
            self.fallbacks[record.fallback] = self.fallbacks.get(record.fallback, 0) + 1
        histogram.add(self.latency, record.duration_us)
        histogram.add(self.overhead, record.overhead_us)
        if record.first_byte_us >= 0:
            histogram.add(self.first_byte, record.first_byte_us)

    def merge(self, other: Measures) -> None:
        """Add another set of calls."""
        self.add(other)
        for cause, count in other.fallbacks.items():
            self.fallbacks[cause] = self.fallbacks.get(cause, 0) + count
        for name in _HISTOGRAMS:
            histogram.merge(getattr(self, name), getattr(other, name))

    def merge_row(self, row: Row[Any] | Sequence[Any], first: int) -> None:
        """Add a row of `rollups` whose measures begin at this column."""
        last = first + len(COUNTERS)
        self.counters = list(map(operator.add, self.counters, row[first:last]))
        if row[last]:
            for cause, count in _causes.decode(row[last]).items():
                self.fallbacks[cause] = self.fallbacks.get(cause, 0) + count
        for offset, into in enumerate((self.latency, self.first_byte, self.overhead), last + 1):
            histogram.merge(into, histogram.unpack(row[offset]))

    def columns(self) -> dict[str, Any]:
        """The values of a row."""
        return {
            **dict(zip(COUNTERS, self.counters, strict=True)),
            "fallbacks": msgspec.msgpack.encode(self.fallbacks) if self.fallbacks else b"",
            **{name: histogram.pack(getattr(self, name)) for name in _HISTOGRAMS},
        }


MEASURE_COLUMNS: Final = tuple(rollups.c[name] for name in (*COUNTERS, "fallbacks", *_HISTOGRAMS))
"""The columns that merge_row() expects, in order."""


def tally(readings: Iterable[tuple[int, Reading]]) -> dict[Key, Measures]:
    """Measures of (series, call) pairs on every level."""
    minutes: dict[Key, Measures] = {}
    finest = LEVELS[0]
    for series, reading in readings:
        key = (finest, bucket_start(finest, reading.record.started_us // 1_000_000), series)
        minutes.setdefault(key, Measures()).count(reading)
    tallied = dict(minutes)
    for (_, bucket, series), measures in minutes.items():
        for level in LEVELS[1:]:
            tallied.setdefault((level, bucket_start(level, bucket), series), Measures()).merge(measures)
    return tallied


def add(connection: Connection, tallied: Mapping[Key, Measures]) -> None:
    """Add to the rollups; the transaction must hold the write lock, because rows are read and written back."""
    key = tuple_(rollups.c.level, rollups.c.bucket, rollups.c.series)
    for chunk in chunks(sorted(tallied), _CHUNK):
        query = rollups.select().with_only_columns(
            rollups.c.level, rollups.c.bucket, rollups.c.series, *MEASURE_COLUMNS
        )
        for row in connection.execute(query.where(key.in_(chunk))):
            tallied[(row[0], row[1], row[2])].merge_row(row, 3)
        rows = [
            {"level": level, "bucket": bucket, "series": series, **tallied[(level, bucket, series)].columns()}
            for level, bucket, series in chunk
        ]
        statement = upsert(connection, rollups)
        replaced = {column.name: statement.excluded[column.name] for column in MEASURE_COLUMNS}
        replacing = statement.on_conflict_do_update(
            index_elements=["level", "bucket", "series"], set_=replaced
        )
        execute_many(connection, replacing, rows)
