"""Which trained router is current. The gatekeeper publishes it, workers load it."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Engine

from store.cursors import Cursors

_NAME: Final = "router"


class CurrentRouter(msgspec.Struct, frozen=True):
    """The router in force."""

    path: str
    """Folder of its artifact."""
    version: str


class Routers:
    """The choice of router. Methods raise DatabaseAway."""

    def __init__(self, engine: Engine) -> None:
        self._cursors = Cursors(engine)

    def set_current(self, path: str, version: str) -> None:
        """Put a router in force."""
        self._cursors.set(_NAME, msgspec.json.encode(CurrentRouter(path, version)).decode())

    def current(self) -> CurrentRouter | None:
        """The router in force; None before the first."""
        value = self._cursors.get(_NAME)
        return None if value is None else msgspec.json.decode(value, type=CurrentRouter)
