"""Cursors: short texts by name that say how far a reader came, or which version is current."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, select

from store.database import translating, upsert, writing
from store.schema import cursors


class Cursors:
    """The table of cursors. Methods raise DatabaseAway."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, name: str) -> str | None:
        """What a name stands at; None when it was never set."""
        with translating(self._engine), self._engine.connect() as connection:
            return connection.execute(
                select(cursors.c.value).where(cursors.c.name == name)
            ).scalar_one_or_none()

    def set(self, name: str, value: str) -> None:
        """Put a name at a value."""
        with translating(self._engine), writing(self._engine) as connection:
            put_cursor(connection, name, value)


def put_cursor(connection: Connection, name: str, value: str) -> None:
    """The same within a transaction that does more."""
    statement = upsert(connection, cursors).values(name=name, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
