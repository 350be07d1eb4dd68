"""Feedback: what people said of calls. What is marked bad is not learned from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Engine, select

from store import call_id as call_ids
from store.contents import Seals, chunks
from store.database import translating, upsert, writing
from store.errors import StoreError
from store.schema import feedback


@dataclass(frozen=True, slots=True)
class Opinion:
    """What was said of one call."""

    good: bool
    note: str
    at: int
    """Unix microseconds."""


class Feedback:
    """The table of feedback; notes are sealed. Call ids are text, as people have them. Methods raise DatabaseAway."""

    def __init__(self, engine: Engine, sealer: Seals) -> None:
        self._engine = engine
        self._sealer = sealer

    def mark(self, call_id: str, good: bool, note: str, at: int) -> None:
        """Say something of a call; the last word counts. Raises StoreError for what is no call id."""
        number = call_ids.parse(call_id)
        if number is None:
            raise StoreError(f"{call_id!r} is no call id; take it from the x-understudy-call-id header")
        values = {"good": good, "note": self._sealer.seal(note.encode("utf-8", "replace"), number), "at": at}
        with translating(self._engine), writing(self._engine) as connection:
            statement = upsert(connection, feedback).values(call_id=number, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=["call_id"], set_=values))

    def get(self, call_id: str) -> Opinion | None:
        """What was said of a call; None when nothing was. Raises SealError."""
        number = call_ids.parse(call_id)
        if number is None:
            return None
        with translating(self._engine), self._engine.connect() as connection:
            row = connection.execute(select(feedback).where(feedback.c.call_id == number)).first()
        if row is None:
            return None
        return Opinion(row.good, self._sealer.open(bytes(row.note), number).decode(), row.at)

    def bad_calls(self, ids: Iterable[str]) -> set[str]:
        """Which of these calls are marked bad."""
        asked = {number: call_id for call_id in ids if (number := call_ids.parse(call_id)) is not None}
        bad: set[str] = set()
        with translating(self._engine), self._engine.connect() as connection:
            for chunk in chunks(list(asked)):
                found = select(feedback.c.call_id).where(
                    feedback.c.call_id.in_(chunk), feedback.c.good.is_(False)
                )
                bad.update(asked[bytes(row.call_id)] for row in connection.execute(found))
        return bad
