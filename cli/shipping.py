"""The shipper process: journal to database, and the other duties that need one process of a deployment."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sqlalchemy import Engine

from cli import logs, process_arguments
from cli.context import EXIT_USAGE, MIRROR_FILE, key_file
from cli.giving_way import give_way
from config.difference import difference
from config.load import Configuration
from config.problem import ConfigError
from config.watch import Watcher
from conversion.privacy.stored import StoredVeil
from store.database import open_engine, upgrade
from store.database_sink import DatabaseSink
from store.duties import Duty
from store.errors import DatabaseAway, SinkAway, StoreError
from store.history import Event, History
from store.keyring import DIGEST, KeyRing, Sealer
from store.prices import Prices
from store.proxy_keys import ProxyKeys
from store.quarantine import Quarantine
from store.record import Record
from store.retention import retain
from store.shipper import Shipper
from store.sink import Position

log = logging.getLogger("understudy.shipper")

_STOP_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT})
_RETAIN_EVERY: Final = 3600.0
_MIRROR_EVERY: Final = 1.0
_RING_EVERY: Final = 60.0
_NOTE_EVERY: Final = 1.0
_STARTED: Final = "in force since the server was started"

_YIELDS: Final = 10
"""Niceness: the shipper may lag, agents may not, so it gives way to the workers it shares cores with."""


class UpgradingSink:
    """A sink whose schema is brought up to date when the database is first reached.

    `veil` makes of a record what may be stored."""

    def __init__(self, url: str, sink: DatabaseSink, veil: Callable[[Record], Record]) -> None:
        self._url = url
        self._sink = sink
        self._veil = veil
        self.ready = False

    def write(self, records: Sequence[Record], positions: Sequence[Position]) -> int:
        """See store.sink.Sink."""
        self._prepare()
        return self._sink.write([self._veil(record) for record in records], positions)

    def positions(self) -> Mapping[str, int]:
        """See store.sink.Sink."""
        self._prepare()
        return self._sink.positions()

    def forget(self, segments: Sequence[str]) -> None:
        """See store.sink.Sink."""
        self._prepare()
        self._sink.forget(segments)

    def _prepare(self) -> None:
        if self.ready:
            return
        try:
            upgrade(self._url)
        except DatabaseAway as error:
            raise SinkAway(str(error)) from error
        self.ready = True


class Noting:
    """A duty: writes an event into the history once the database can be reached."""

    def __init__(self, engine: Engine, event: Event, sink: UpgradingSink) -> None:
        self._engine = engine
        self._event = event
        self._sink = sink
        self._done = False

    def __call__(self) -> None:
        if self._sink.ready and not self._done:
            History(self._engine).note(self._event)
            self._done = True


def build(
    configuration: Configuration, environ: Mapping[str, str], engine: Engine, why: str = _STARTED
) -> Shipper:
    """The shipper of a configuration, with its duties; `why` says in words what brought it into force.

    Raises StoreError for keys that cannot be used."""
    settings = configuration.settings
    ring = KeyRing.load(key_file(configuration), environ)
    sink = sink_of(configuration, engine, ring)
    keys = ProxyKeys(engine)

    def mirror() -> None:
        if sink.ready:
            keys.mirror(settings.state_dir / MIRROR_FILE)

    def forget() -> None:
        if sink.ready and settings.store.retain is not None:
            now = time.time()
            retain(engine, int(settings.store.retain), int(now))
            Quarantine(configuration.journal).forget(now - settings.store.retain)

    now = time.time_ns() // 1000
    noted = Noting(engine, Event(now, "configuration", configuration.version, why), sink)
    duties: list[tuple[float, Duty]] = [
        (_MIRROR_EVERY, mirror),
        (_NOTE_EVERY, noted),
        (_RETAIN_EVERY, forget),
        (_RING_EVERY, lambda: _refresh(ring)),
    ]
    return Shipper(configuration.journal, ring, sink, every=duties)


def sink_of(configuration: Configuration, engine: Engine, ring: KeyRing) -> UpgradingSink:
    """The sink of a configuration's database."""
    prices = prices_of(configuration)
    sink = DatabaseSink(engine, Sealer(ring), ring.active.derive(DIGEST), prices)
    redacts = configuration.settings.privacy.redact == "before_storage"
    veil = StoredVeil(ring).record if redacts else _as_it_is
    return UpgradingSink(configuration.settings.store.url, sink, veil)


def _as_it_is(record: Record) -> Record:
    return record


def prices_of(configuration: Configuration) -> Prices:
    """The configured prices of upstream models and small models."""
    settings = configuration.settings
    table = {glob: price.model_dump(exclude_none=True) for glob, price in settings.prices.items()}
    for slm in settings.slms.values():
        table.setdefault(slm.model, slm.price.model_dump() if slm.price else {"input": 0, "output": 0})
    return Prices(table)


def _refresh(ring: KeyRing) -> None:
    ring.refresh()


class Turns:
    """Ships under one configuration after the other until told to stop."""

    def __init__(self, first: Configuration, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._current = first
        self._why = _STARTED
        self._stopping = False
        self._turn = threading.Event()

    def stop(self) -> None:
        """End the last turn. Not for signal handlers: one that interrupts the shipper's own wait would wait for itself."""
        self._stopping = True
        self._turn.set()

    def change(self, fresh: Configuration) -> None:
        """Go on under another configuration (its prices, its retention)."""
        self._why = difference(self._current.written, fresh.written)
        self._current = fresh
        self._turn.set()

    def run(self) -> None:
        """Ship. Raises StoreError for a URL or keys that cannot be used."""
        while True:
            engine = open_engine(self._current.settings.store.url)
            try:
                build(self._current, self._environ, engine, self._why).run(self._turn)
            finally:
                engine.dispose()
            self._turn.clear()  # first, so that a stop from here on ends the next turn
            if self._stopping:
                return


def _watch(watcher: Watcher) -> None:
    logging.getLogger("understudy.config").setLevel(logging.CRITICAL)  # the workers say it already
    asyncio.run(watcher.run())


def _await_signal(turns: Turns) -> None:
    signal.sigwait(_STOP_SIGNALS)
    turns.stop()


def _await_end(lifeline: int, turns: Turns) -> None:
    """The pipe says nothing until the parent is gone.

    It is polled, not read: the workers' event loops have made the one pipe of all children non-blocking."""
    watched = select.poll()
    watched.register(lifeline, select.POLLIN)
    watched.poll()
    log.error("the parent process is gone; the shipper stops")
    turns.stop()


def main() -> None:
    """Entry of `python -m cli.shipping`, started by the supervisor."""
    arguments = process_arguments.parse("The Understudy shipper")
    logs.configure()
    give_way(_YIELDS)
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)  # in every thread: one of them waits for them
    try:
        configuration = arguments.configuration(os.environ)
        turns = Turns(configuration, os.environ)
        threading.Thread(target=_await_signal, args=(turns,), daemon=True).start()
        watcher = Watcher(configuration, os.environ, on_change=turns.change)
        threading.Thread(target=_watch, args=(watcher,), daemon=True).start()
        threading.Thread(target=_await_end, args=(arguments.lifeline, turns), daemon=True).start()
        turns.run()
    except (ConfigError, StoreError) as error:
        print(f"understudy: {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE)


if __name__ == "__main__":
    main()
