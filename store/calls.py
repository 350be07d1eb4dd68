"""Calls, one by one: lists for people, and a call with everything that was said in it, put together again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    and_,
    select,
    text,
    true,
    union_all,
)

from store import call_id as call_ids
from store import parts_list
from store.contents import Codec, Seals, chunks, load
from store.conversation import Chain
from store.database import translating
from store.detail import Circumstances, Detail, decode_circumstances, decode_detail
from store.reading import REQUEST_RAW, RESPONSE_RAW, STREAM, TRUNCATED
from store.record import Attempt, Endpoint, Route
from store.schema import ENDPOINTS, ROUTES, USAGE_SOURCES, calls, series
from store.template import join
from wire.usage import Usage

BodyKind = Literal["json", "raw", "none"]
_NEWEST: Final = b"\xff" * 16
_PLAIN: Final = 200
"""The status that no index finds, since nearly every call has it."""
_TOGETHER: Final = 100
"""Parts of one statement."""
_COLUMNS: Final = tuple(
    column for column in calls.columns if column.name not in ("parts", "detail", "series")
)
_LABELS: Final = tuple(column for column in series.columns if column.name != "id")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which calls to list; None takes all. Times are Unix microseconds."""

    since: int | None = None
    until: int | None = None
    route: Route | None = None
    task: str | None = None
    model: str | None = None
    rule: str | None = None
    status: int | None = None
    session: str | None = None
    """As shown by this module (16 hex digits), or the name that the agent gave it."""
    before: str | None = None
    """Cursor: the id of the last call of the page before."""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class CallSummary:
    """One line of a list. Durations are microseconds, money nano-dollars; None when unknown."""

    id: str
    started: int
    duration: int
    first_byte: int | None
    overhead: int
    endpoint: Endpoint
    status: int
    stream: bool
    route: Route
    target: str
    model: str
    served_model: str
    understudy: str
    task: str
    rule: str
    key: str
    session: str
    confidence: float | None
    fallback: str
    error: str
    usage: Usage
    usage_source: str
    """`reported`, `spliced` (asked for by the proxy), `estimated`, or empty."""
    cost: int | None
    list_cost: int | None
    """Of the same tokens at the price of the model that was asked for."""
    cost_avoided: int | None
    request_size: int
    response_size: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class StoredBody:
    """A body as it was: `json` is equal as JSON to what was sent, `raw` the bytes themselves (or their beginning)."""

    kind: BodyKind
    data: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """A call with everything that is known of it."""

    summary: CallSummary
    circumstances: Circumstances
    """Method, path, content types, user agent, reason and configuration version."""
    attempts: tuple[Attempt, ...]
    upstream_request_id: str
    session_name: str
    """As the agent gave it; empty when the session was inferred."""
    request: StoredBody
    response: StoredBody
    """Of a stream: the answer that its events add up to."""


class Calls:
    """Reads calls. Methods raise DatabaseAway, and SealError for content whose key is missing."""

    def __init__(self, engine: Engine, sealer: Seals, digest_key: bytes) -> None:
        self._engine = engine
        self._sealer = sealer
        self._codec = Codec(sealer)
        self._chain = Chain(digest_key)

    def list(self, filters: Filters = Filters()) -> Sequence[CallSummary]:
        """A page of calls, newest first."""
        with translating(self._engine), self._engine.connect() as connection:
            rows = self._page(connection, filters, *_COLUMNS)
        return [_summary(row._asdict()) for row in rows]

    def summaries(self, ids: Sequence[bytes]) -> Sequence[CallSummary]:
        """Calls by their numbers, the oldest first; those that are not stored are left out."""
        query = select(*_COLUMNS, *_LABELS).join(series, series.c.id == calls.c.series)
        found: list[CallSummary] = []
        with translating(self._engine), self._engine.connect() as connection:
            for chunk in chunks(ids):
                rows = connection.execute(query.where(calls.c.id.in_(chunk)))
                found += [_summary(row._asdict()) for row in rows]
        return sorted(found, key=lambda call: call.id)

    def session(self, session: str, limit: int = 1000) -> Sequence[CallSummary]:
        """The calls of a session, oldest first."""
        return list(reversed(self.list(Filters(session=session, limit=limit))))

    def get(self, call_id: str) -> Call | None:
        """A call by its id; None when it is not, or not any more, stored."""
        number = call_ids.parse(call_id)
        if number is None:
            return None
        query = (
            select(*_COLUMNS, calls.c.parts, calls.c.detail, *_LABELS)
            .join(series, series.c.id == calls.c.series)
            .where(calls.c.id == number)
        )
        with translating(self._engine), self._engine.connect() as connection:
            row = connection.execute(query).first()
            if row is None:
                return None
            parts = parts_list.unpack(bytes(row.parts))
            contents = load(connection, self._codec, parts.ids)
        detail = decode_detail(self._sealer.open(bytes(row.detail), number))
        return _call(row._asdict(), parts, contents, detail)

    def read(self, filters: Filters) -> Sequence[Call]:
        """A page of calls with everything that was said in them, newest first; contents they share are read once."""
        with translating(self._engine), self._engine.connect() as connection:
            rows = self._page(connection, filters, *_COLUMNS, calls.c.parts, calls.c.detail)
            lists = [parts_list.unpack(bytes(row.parts)) for row in rows]
            contents = load(connection, self._codec, {number for parts in lists for number in parts.ids})
        return [
            _call(
                row._asdict(),
                parts,
                contents,
                decode_detail(self._sealer.open(bytes(row.detail), bytes(row.id))),
            )
            for row, parts in zip(rows, lists, strict=True)
        ]

    def _page(self, connection: Connection, filters: Filters, *columns: Column[Any]) -> Sequence[Row[Any]]:
        """The newest calls that match, found by an index whatever is asked for: see `_newest`."""
        sessions = None if filters.session is None else self.session_numbers(filters.session)
        ids = _newest(connection, filters, sessions)
        query = select(*columns, *_LABELS).join(series, series.c.id == calls.c.series)
        found = [
            row for chunk in chunks(ids) for row in connection.execute(query.where(calls.c.id.in_(chunk)))
        ]
        return sorted(found, key=lambda row: bytes(row.id), reverse=True)

    def parts(self, filters: Filters) -> Sequence[tuple[bytes, Sequence[int]]]:
        """A page of calls, newest first, each with the numbers of its contents."""
        with translating(self._engine), self._engine.connect() as connection:
            rows = self._page(connection, filters, calls.c.id, calls.c.parts)
        return [(bytes(row.id), parts_list.unpack(bytes(row.parts)).ids[1:]) for row in rows]

    def session_numbers(self, session: str) -> Sequence[int]:
        """What a session may be stored as: the number that is shown as these hex digits, or the agent's name for it."""
        numbers = [self._chain.number(session.encode("utf-8", "replace"), b"session")]
        if len(session) == 16 and all(digit in "0123456789abcdef" for digit in session):
            numbers.append(int(session, 16) & ((1 << 63) - 1))
        return numbers


def _newest(connection: Connection, filters: Filters, sessions: Sequence[int] | None) -> Sequence[bytes]:
    """Numbers of the calls that match, newest first.

    What the calls share is chosen so that an index gives it in the order of time: a session, a status other than 200, or
    the series that match the labels, each by itself. Left to the database, a rare label is sought through the whole log."""
    numbers = _series(connection, filters)
    query = _between(select(calls.c.id), filters)
    together: Sequence[ColumnElement[bool]]
    if sessions is not None:
        together = [calls.c.session == number for number in sessions]
    elif filters.status not in (None, _PLAIN):
        together = [and_(calls.c.status == filters.status, calls.c.status != text(str(_PLAIN)))]
    elif numbers is not None:
        together, numbers = [calls.c.series == number for number in numbers], None
    else:
        together = [true()]
    if numbers is not None:
        query = query.where((calls.c.series + 0).in_(numbers))  # a sum, so that no index of series is taken
    if filters.status is not None:
        query = query.where(calls.c.status == filters.status)
    query = query.order_by(calls.c.id.desc()).limit(filters.limit)
    found: list[bytes] = []
    for chunk in chunks(together, _TOGETHER):
        parts = [select(query.where(each).subquery()) for each in chunk]
        found += [bytes(row.id) for row in connection.execute(union_all(*parts))]
    return sorted(found, reverse=True)[: filters.limit]


def _series(connection: Connection, filters: Filters) -> Sequence[int] | None:
    """The series that match the labels; None when any does."""
    wanted = {
        series.c.route: None if filters.route is None else ROUTES.index(filters.route),
        series.c.task: filters.task,
        series.c.model: filters.model,
        series.c.rule: filters.rule,
    }
    equal = [column == value for column, value in wanted.items() if value is not None]
    return list(connection.scalars(select(series.c.id).where(*equal))) if equal else None


def _between(query: Select[Any], filters: Filters) -> Select[Any]:
    if filters.since is not None:
        query = query.where(calls.c.id >= call_ids.floor(filters.since))
    if filters.until is not None:
        query = query.where(calls.c.id < call_ids.floor(filters.until))
    if filters.before is not None:
        query = query.where(calls.c.id < (call_ids.parse(filters.before) or _NEWEST))
    return query


def _summary(row: Mapping[str, Any]) -> CallSummary:
    flags = row["flags"]
    return CallSummary(
        id=call_ids.show(bytes(row["id"])),
        started=row["started"],
        duration=row["duration"],
        first_byte=row["first_byte"],
        overhead=row["overhead"],
        endpoint=ENDPOINTS[row["endpoint"]],
        status=row["status"],
        stream=bool(flags & STREAM),
        route=ROUTES[row["route"]],
        session=f"{row['session']:016x}",
        usage=Usage(row["input"], row["cached_input"], row["cache_write"], row["output"], row["reasoning"]),
        usage_source=USAGE_SOURCES[row["usage_source"]],
        truncated=bool(flags & TRUNCATED),
        cost_avoided=_avoided(row),
        **{name: row[name] for name in _AS_STORED},
    )


def _avoided(row: Mapping[str, Any]) -> int | None:
    if ROUTES[row["route"]] != "slm":
        return 0
    return None if row["cost"] is None or row["list_cost"] is None else row["list_cost"] - row["cost"]


_AS_STORED: Final = (
    "target", "model", "served_model", "understudy", "task", "rule", "key", "confidence", "fallback", "error",
    "cost", "list_cost", "request_size", "response_size",
)  # fmt: skip


def _call(
    row: Mapping[str, Any], parts: parts_list.PartsList, contents: Mapping[int, bytes], detail: Detail
) -> Call:
    summary = _summary(row)
    counts, volatile = iter(parts.counts), iter(detail.volatile)
    first, *ids = parts.ids
    request = (contents[number] for number in ids[: parts.request])
    response = (contents[number] for number in ids[parts.request :])
    attempts = detail.attempts
    if attempts is None:
        attempts = (Attempt(summary.route, summary.target, summary.status, "", detail.attempt_us),)
    return Call(
        summary=summary,
        circumstances=decode_circumstances(contents[first]),
        attempts=attempts,
        upstream_request_id=detail.upstream_request_id,
        session_name=detail.session,
        request=_body(request, counts, volatile, raw=bool(row["flags"] & REQUEST_RAW)),
        response=_body(response, counts, volatile, raw=bool(row["flags"] & RESPONSE_RAW)),
    )


def _body(parts: Iterator[bytes], counts: Iterator[int], volatile: Iterator[Any], *, raw: bool) -> StoredBody:
    first = next(parts, None)
    if first is None:
        return StoredBody("none", b"")
    if raw:
        return StoredBody("raw", first)
    ahead = _with_first(first, parts)
    return StoredBody("json", join(ahead.__next__, counts.__next__, volatile.__next__))


def _with_first(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
