"""Cursors: short texts by name that say how far a reader came, or which version is current."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError

from store.database import translated, upsert, writing
from store.schema import cursors


class Cursors:
    """The table of cursors. Methods raise DatabaseAway."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, name: str) -> str | None:
        """What a name stands at; None when it was never set."""
        try:
            with self._engine.connect() as connection:
                return connection.execute(
                    select(cursors.c.value).where(cursors.c.name == name)
                ).scalar_one_or_none()
        except DBAPIError as error:
            raise translated(error, self._engine.url) from error

    def set(self, name: str, value: str) -> None:
        """Put a name at a value."""
        try:
            with writing(self._engine) as connection:
                put_cursor(connection, name, value)
        except DBAPIError as error:
            raise translated(error, self._engine.url) from error


def put_cursor(connection: Connection, name: str, value: str) -> None:
    """The same within a transaction that does more."""
    statement = upsert(connection, cursors).values(name=name, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
