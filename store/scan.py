"""The log from one moment to another, quickly: rows as the database gives them, contents opened only when asked for.

`Calls` puts whole calls together for people; a reader of a million calls wants a few of their parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine, Row, func, select

from store import call_id as call_ids
from store.contents import Codec, Seals, chunks
from store.database import translating
from store.detail import Circumstances, decode_circumstances, decode_detail
from store.record import Endpoint, Route
from store.schema import ENDPOINTS, ROUTES, calls, contents, series

_BATCH: Final = 2000
_REMEMBERED: Final = 60_000


Stretch = tuple[bytes, bytes]
"""A piece of the log: the number of its first call, and that before which it ends."""


class StoredCall(NamedTuple):
    """A row of the log; see `store.schema.calls`."""

    id: bytes
    started: int
    duration: int
    series: int
    status: int
    flags: int
    confidence: float | None
    fallback: str
    input: int
    cached_input: int
    cache_write: int
    output: int
    cost: int | None
    list_cost: int | None
    request_size: int
    parts: bytes
    detail: bytes


_COLUMNS: Final = tuple(calls.c[name] for name in StoredCall._fields)


@dataclass(frozen=True, slots=True)
class Labels:
    """What the calls of one series share."""

    endpoint: Endpoint
    route: Route
    target: str
    model: str
    served_model: str
    task: str
    understudy: str
    rule: str
    key: str


class Scan:
    """Reads calls in the order in which they came. Methods raise DatabaseAway, and SealError for a missing key.

    `since` and `until` are Unix microseconds; None has no bound."""

    def __init__(
        self, engine: Engine, sealer: Seals, since: int | None = None, until: int | None = None
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._codec = Codec(sealer)
        self._first = call_ids.floor(since or 0)
        self._last = b"\xff" * 16 if until is None else call_ids.floor(until)
        self._sealed: dict[int, tuple[bytes, bytes]] = {}
        self._circumstances: dict[int, Circumstances] = {}

    def labels(self) -> Mapping[int, Labels]:
        """The series by number."""
        with translating(self._engine), self._engine.connect() as connection:
            return {row.id: _labels(row) for row in connection.execute(select(series))}

    def count(self) -> int:
        """How many calls there are to read."""
        query = select(func.count()).where(calls.c.id >= self._first, calls.c.id < self._last)
        with translating(self._engine), self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def stretches(self, size: int) -> Sequence[Stretch]:
        """The log in pieces of so many calls, the last one shorter, which may be read beside each other."""
        starts = [self._first]
        query = select(calls.c.id).where(calls.c.id < self._last).order_by(calls.c.id).limit(1).offset(size)
        with translating(self._engine), self._engine.connect() as connection:
            while found := connection.execute(query.where(calls.c.id >= starts[-1])).scalar():
                starts.append(bytes(found))
        return list(pairwise([*starts, self._last]))

    def within(self, stretch: Stretch) -> Scan:
        """A reader of one piece; it remembers nothing of the others."""
        scan = Scan(self._engine, self._sealer)
        scan._first, scan._last = stretch
        return scan

    def batches(self) -> Iterator[Sequence[StoredCall]]:
        """The calls, oldest first; each batch is a transaction of its own."""
        after = self._first
        query = select(*_COLUMNS).where(calls.c.id < self._last).order_by(calls.c.id).limit(_BATCH)
        while rows := self._rows(
            query.where(calls.c.id > after if after != self._first else calls.c.id >= after)
        ):
            yield list(map(StoredCall._make, rows))
            after = bytes(rows[-1].id)

    def fetch(self, numbers: Iterable[int]) -> None:
        """Have these contents at hand, still sealed."""
        missing = [number for number in set(numbers) if number not in self._sealed]
        if len(self._sealed) > _REMEMBERED:
            for number in list(self._sealed)[: _REMEMBERED // 2]:
                del self._sealed[number]
        for chunk in chunks(missing):
            query = select(contents.c.id, contents.c.digest, contents.c.body).where(contents.c.id.in_(chunk))
            for row in self._rows(query):
                self._sealed[row.id] = row.digest, row.body

    def part(self, number: int) -> bytes:
        """One content; raises KeyError for one that is not stored any more, and SealError."""
        if number not in self._sealed:
            self.fetch((number,))
        digest, body = self._sealed[number]
        return self._codec.open(bytes(body), bytes(digest))

    def circumstances(self, number: int) -> Circumstances:
        """What many calls share, by the number of its content; raises like part()."""
        found = self._circumstances.get(number)
        if found is None:
            found = self._circumstances[number] = decode_circumstances(self.part(number))
        return found

    def session_name(self, call: StoredCall) -> str:
        """The name that the agent gave its session; empty when it gave none. Raises SealError."""
        return decode_detail(self._sealer.open(bytes(call.detail), bytes(call.id))).session

    def _rows(self, query: Any) -> Sequence[Row[Any]]:
        with translating(self._engine), self._engine.connect() as connection:
            rows: Sequence[Row[Any]] = connection.execute(query).all()
            return rows


def _labels(row: Row[Any]) -> Labels:
    return Labels(
        endpoint=ENDPOINTS[row.endpoint],
        route=ROUTES[row.route],
        **{
            name: row._mapping[name]
            for name in ("target", "model", "served_model", "task", "understudy", "rule", "key")
        },
    )
