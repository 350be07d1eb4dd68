"""Which trained router is current. The gatekeeper publishes it, workers load it."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Engine

from store.cursors import Cursors, put_cursor
from store.database import translating, writing
from store.history import Event, put_event

_NAME: Final = "router"


class CurrentRouter(msgspec.Struct, frozen=True):
    """The router in force."""

    path: str
    """Folder of its artifact."""
    version: str


class Routers:
    """The choice of router. Methods raise DatabaseAway."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def set_current(self, path: str, version: str, *, at: int, why: str) -> None:
        """Put a router in force, and write down what it is; `at` is in Unix microseconds, `why` holds no content."""
        value = msgspec.json.encode(CurrentRouter(path, version)).decode()
        with translating(self._engine), writing(self._engine) as connection:
            put_cursor(connection, _NAME, value)
            put_event(connection, Event(at, "router", version, why))

    def current(self) -> CurrentRouter | None:
        """The router in force; None before the first."""
        value = Cursors(self._engine).get(_NAME)
        return None if value is None else msgspec.json.decode(value, type=CurrentRouter)
