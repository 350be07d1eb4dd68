"""A PostgreSQL server that can be taken away and brought back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.chaos.stage import eventually
from tests.postgres import postgres_server


class Postgres:
    """One server, on a Unix socket."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri()

    def take_away(self) -> None:
        """End it at once, as a crash would."""
        process = self._server._postmaster_info.process
        os.kill(process.pid, signal.SIGQUIT)
        eventually(lambda: not process.is_running(), "the end of PostgreSQL")

    def bring_back(self) -> None:
        """Start it on the same data."""
        self._server.ensure_postgres_running()

    def column(self, query: str) -> list[Any]:
        """The first column of a query's rows."""
        with psycopg.connect(self.url) as connection:
            return [row[0] for row in connection.execute(query)]


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A running server with an empty database."""
    with postgres_server() as server:
        yield Postgres(server)
