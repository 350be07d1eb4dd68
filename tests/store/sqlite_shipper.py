"""A shipper process for the tests, into a SQLite file that remembers enough to prove exactly-once."""

from __future__ import annotations

import signal
import sqlite3
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from store.keyring import KeyRing
from store.record import Record
from store.shipper import Shipper
from store.sink import Position, SinkAway


class SqliteSink:
    """Calls by id, a running total as a rollup would keep it, and positions, in one transaction."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._connection.executescript(
            """
            PRAGMA journal_mode = WAL;
            CREATE TABLE IF NOT EXISTS calls (id BLOB PRIMARY KEY);
            CREATE TABLE IF NOT EXISTS total (calls INTEGER NOT NULL);
            CREATE TABLE IF NOT EXISTS positions (segment TEXT PRIMARY KEY, offset INTEGER NOT NULL);
            """
        )

    def write(self, records: Sequence[Record], positions: Sequence[Position]) -> int:
        try:
            with self._connection as database:
                database.execute("BEGIN IMMEDIATE")
                cursor = database.executemany(
                    "INSERT INTO calls VALUES (?) ON CONFLICT DO NOTHING",
                    [(record.id,) for record in records],
                )
                new = max(cursor.rowcount, 0)
                database.execute("INSERT INTO total VALUES (?)", (new,))
                database.executemany(
                    "INSERT INTO positions VALUES (?, ?) ON CONFLICT DO UPDATE SET offset = excluded.offset",
                    [(position.segment, position.offset) for position in positions],
                )
                return new
        except sqlite3.OperationalError as error:
            raise SinkAway("the database is locked") from error

    def positions(self) -> Mapping[str, int]:
        return dict(self._connection.execute("SELECT segment, offset FROM positions"))

    def forget(self, segments: Sequence[str]) -> None:
        self._connection.executemany(
            "DELETE FROM positions WHERE segment = ?", [(name,) for name in segments]
        )


def _await_signal(stop: threading.Event) -> None:
    """As the real shipper does: a handler that interrupts the shipper's own wait would wait for itself."""
    signal.sigwait({signal.SIGTERM})
    stop.set()


def main(directory: str, key_file: str, database: str) -> None:
    """Ship until SIGTERM."""
    stop = threading.Event()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_await_signal, args=(stop,), daemon=True).start()
    ring = KeyRing.load(Path(key_file), {})
    Shipper(Path(directory), ring, SqliteSink(Path(database)), batch_records=7, poll_seconds=0.005).run(stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
