"""Arrivals: recognised calls in the order in which the database received them.

Ids of calls tell when they began, and a call that lasts a minute is stored after ones that began later: who reads "all
calls after this id" misses it. So the transaction that stores calls also notes which, once, and whoever wants each of
them exactly once reads the notes. Writers come one after the other (`database.writing`), so numbers grow in the order
of the commits. Calls without a task are not noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, delete, func, insert, select

from store.database import translating, writing
from store.schema import arrivals

_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Arrived:
    """Calls that came with one batch or several."""

    position: int
    """Read on from here."""
    calls: Sequence[bytes]


class Arrivals:
    """The notes. Methods raise DatabaseAway."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def since(self, position: int, batches: int = 20) -> Arrived:
        """What came after a position, some batches at a time."""
        query = (
            select(arrivals.c.id, arrivals.c.calls)
            .where(arrivals.c.id > position)
            .order_by(arrivals.c.id)
            .limit(batches)
        )
        with translating(self._engine), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        ids = b"".join(bytes(row.calls) for row in rows)
        calls = [ids[start : start + _ID_BYTES] for start in range(0, len(ids), _ID_BYTES)]
        return Arrived(rows[-1].id if rows else position, calls)

    def last(self) -> int:
        """The newest position; 0 when nothing is noted."""
        with translating(self._engine), self._engine.connect() as connection:
            newest: int = connection.execute(select(func.coalesce(func.max(arrivals.c.id), 0))).scalar_one()
            return newest

    def forget(self, position: int) -> None:
        """Drop the notes up to a position."""
        with translating(self._engine), writing(self._engine) as connection:
            connection.execute(delete(arrivals).where(arrivals.c.id <= position))


def note_arrivals(connection: Connection, calls: Sequence[bytes], at: int) -> None:
    """Note calls in the transaction that stores them; `at` is Unix microseconds."""
    if calls:
        connection.execute(insert(arrivals).values(at=at, calls=b"".join(calls)))
