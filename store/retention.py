"""Forgetting: by age, and on request. Content goes when the last call that uses it has gone."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, Engine, ScalarSelect, delete, select

from store import call_id as call_ids
from store import parts_list
from store.calls import Calls
from store.contents import chunks
from store.database import translating, upsert, writing
from store.schema import (
    CONTENT_SWEEPS,
    arrivals,
    calls,
    contents,
    feedback,
    pairs,
    rollups,
    state,
    threads,
    trials,
)
from store.window import DAY, MINUTE

_STEP: Final = 2000
"""Calls, contents or free pages at a time, so that the shipper is never kept waiting for long."""
_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted."""

    calls: int
    contents: int
    minutes: int = 0
    """Rows of minute rollups; hours, days and totals stay."""


def retain(engine: Engine, older_than: int, now: int) -> Forgotten:
    """Delete what is older than this many seconds, in small transactions. Raises DatabaseAway.

    Contents carry the day of the latest call that uses them, so no call has to be read to find those to delete.
    """
    cutoff = now - older_than
    with translating(engine):
        deleted = _delete_calls(engine, calls.c.id < call_ids.floor(cutoff * _SECOND))
        unused = contents.c.last_used < cutoff // DAY
        swept = 0
        while step := _sweep(engine, unused):
            swept += step
        with writing(engine) as connection:
            connection.execute(delete(threads).where(threads.c.last_used < cutoff // DAY))
            minutes = connection.execute(
                delete(rollups).where(rollups.c.level == MINUTE, rollups.c.bucket < cutoff)
            ).rowcount
            connection.execute(delete(arrivals).where(arrivals.c.at < (now - DAY) * _SECOND))
        give_back_space(engine)
    return Forgotten(deleted, swept, minutes)


def purge(
    engine: Engine,
    reader: Calls,
    *,
    session: str | None = None,
    call: str | None = None,
    before: int | None = None,
) -> Forgotten:
    """Erase calls, and the contents that nothing else uses, in one transaction. Raises DatabaseAway.

    Give a session, a call id, or a moment in Unix seconds before which everything goes. The counts in the rollups stay.
    """
    chosen = _chosen(reader, session, call, before)
    if chosen is None:
        return Forgotten(0, 0)
    with translating(engine):
        with writing(engine) as connection:
            rows = connection.execute(select(calls.c.parts).where(chosen))
            freed = {number for row in rows for number in parts_list.unpack(bytes(row[0])).ids}
            _delete_what_follows(connection, select(calls.c.id).where(chosen).scalar_subquery())
            deleted = connection.execute(delete(calls).where(chosen)).rowcount
            freed -= _still_used(connection, freed)
            for chunk in chunks(sorted(freed)):
                connection.execute(delete(contents).where(contents.c.id.in_(chunk)))
            if session is not None:
                numbers = reader.session_numbers(session)
                connection.execute(delete(threads).where(threads.c.session.in_(numbers)))
            _count_sweep(connection)
        give_back_space(engine)
    return Forgotten(deleted, len(freed))


def give_back_space(engine: Engine) -> None:
    """Return free pages of a SQLite file to the file system, some at a time, and empty its write-ahead log."""
    if engine.dialect.name != "sqlite":
        return
    with closing(
        engine.raw_connection()
    ) as connection:  # PRAGMAs of this kind work outside of transactions only
        cursor = connection.cursor()
        free = cursor.execute("PRAGMA freelist_count").fetchone()[0]
        for _ in range(0, free, _STEP):
            cursor.execute(f"PRAGMA incremental_vacuum({_STEP})").fetchall()
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _chosen(
    reader: Calls, session: str | None, call: str | None, before: int | None
) -> ColumnElement[bool] | None:
    if session is not None:
        return calls.c.session.in_(reader.session_numbers(session))
    if call is not None:
        number = call_ids.parse(call)
        return None if number is None else calls.c.id == number
    return None if before is None else calls.c.id < call_ids.floor(before * _SECOND)


def _delete_calls(engine: Engine, old: ColumnElement[bool]) -> int:
    deleted = 0
    while True:
        with writing(engine) as connection:
            ids = select(calls.c.id).where(old).order_by(calls.c.id).limit(_STEP).scalar_subquery()
            _delete_what_follows(connection, ids)
            step = connection.execute(delete(calls).where(calls.c.id.in_(ids))).rowcount
        deleted += step
        if step < _STEP:
            return deleted


def _delete_what_follows(connection: Connection, ids: ScalarSelect[bytes]) -> None:
    """What is kept about calls goes with them: pairs, trials, feedback."""
    for table in (pairs, trials, feedback):
        connection.execute(delete(table).where(table.c.call_id.in_(ids)))


def _sweep(engine: Engine, unused: ColumnElement[bool]) -> int:
    with writing(engine) as connection:
        ids = select(contents.c.id).where(unused).limit(_STEP).scalar_subquery()
        step = connection.execute(delete(contents).where(contents.c.id.in_(ids))).rowcount
        if step:
            _count_sweep(connection)
    return step


def _count_sweep(connection: Connection) -> None:
    statement = upsert(connection, state).values(name=CONTENT_SWEEPS, value=1)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"value": state.c.value + 1})
    )


def _still_used(connection: Connection, freed: set[int]) -> set[int]:
    """Which of these contents a remaining call uses. Reads every call, newest pages last, one page at a time."""
    used: set[int] = set()
    last = b""
    while rows := connection.execute(
        select(calls.c.id, calls.c.parts).where(calls.c.id > last).order_by(calls.c.id).limit(_STEP)
    ).all():
        for row in rows:
            used.update(freed.intersection(parts_list.unpack(bytes(row.parts)).ids))
        last = bytes(rows[-1].id)
    return used
