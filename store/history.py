"""What came into force, and when: configurations and learned routers. Moves of understudies are kept with their evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Engine, insert, select

from store.database import translating, writing
from store.schema import history

Kind = Literal["configuration", "router"]


@dataclass(frozen=True, slots=True)
class Event:
    """One version that came into force."""

    at: int
    """Unix microseconds."""
    kind: Kind
    version: str
    text: str
    """What is different, in words; no content of calls, no values of settings."""


class History:
    """The table of events. Methods raise DatabaseAway."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, event: Event) -> bool:
        """Write an event down; False when this version of its kind was in force already, as after a restart."""
        with translating(self._engine), writing(self._engine) as connection:
            return put_event(connection, event)

    def since(self, at: int, limit: int) -> Sequence[Event]:
        """The latest events from a moment on (Unix microseconds), the newest first."""
        query = select(history).where(history.c.at >= at).order_by(history.c.id.desc()).limit(limit)
        with translating(self._engine), self._engine.connect() as connection:
            return [Event(row.at, row.kind, row.version, row.text) for row in connection.execute(query)]


def put_event(connection: Connection, event: Event) -> bool:
    """The same as `note` within a transaction that does more."""
    query = select(history.c.version).where(history.c.kind == event.kind).order_by(history.c.id.desc())
    if connection.execute(query.limit(1)).scalar() == event.version:
        return False
    values = {"at": event.at, "kind": event.kind, "version": event.version, "text": event.text}
    connection.execute(insert(history).values(values))
    return True
