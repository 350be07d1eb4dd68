"""The shipper process: journal to database, and the other duties that need one process of a deployment."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.context import MIRROR_FILE, find_config, key_file
from cli.worker import LOG_FORMAT
from config.load import Configuration, load
from config.problem import ConfigError
from store.database import open_engine, upgrade
from store.database_sink import DatabaseSink
from store.errors import DatabaseAway, SinkAway
from store.keyring import DIGEST, KeyRing, Sealer
from store.prices import Prices
from store.proxy_keys import ProxyKeys
from store.record import Record
from store.retention import retain
from store.shipper import Shipper
from store.sink import Position

log = logging.getLogger("understudy.shipper")

_RETAIN_EVERY = 3600.0
_MIRROR_EVERY = 1.0
_RING_EVERY = 60.0


class UpgradingSink:
    """A sink whose schema is brought up to date when the database is first reached."""

    def __init__(self, url: str, sink: DatabaseSink) -> None:
        self._url = url
        self._sink = sink
        self.ready = False

    def write(self, records: Sequence[Record], positions: Sequence[Position]) -> int:
        """See store.sink.Sink."""
        self._prepare()
        return self._sink.write(records, positions)

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


def build(configuration: Configuration, environ: Mapping[str, str]) -> Shipper:
    """The shipper of a configuration, with its duties. Raises StoreError for a URL or keys that cannot be used."""
    settings = configuration.settings
    ring = KeyRing.load(key_file(configuration), environ)
    engine = open_engine(settings.store.url)
    sink = UpgradingSink(
        settings.store.url,
        DatabaseSink(engine, Sealer(ring), ring.active.derive(DIGEST), prices_of(configuration)),
    )
    keys = ProxyKeys(engine)

    def mirror() -> None:
        if sink.ready:
            keys.mirror(settings.state_dir / MIRROR_FILE)

    def forget() -> None:
        if sink.ready and settings.store.retain is not None:
            retain(engine, int(settings.store.retain), int(time.time()))

    duties = [(_MIRROR_EVERY, mirror), (_RETAIN_EVERY, forget), (_RING_EVERY, lambda: _refresh(ring))]
    return Shipper(settings.state_dir / "journal", ring, sink, every=duties)


def prices_of(configuration: Configuration) -> Prices:
    """The configured prices of upstream models and small models."""
    settings = configuration.settings
    table = {glob: price.model_dump(exclude_none=True) for glob, price in settings.prices.items()}
    for slm in settings.slms.values():
        table.setdefault(slm.model, slm.price.model_dump() if slm.price else {"input": 0, "output": 0})
    return Prices(table)


def run(config: Path | None, environ: Mapping[str, str], stop: threading.Event) -> None:
    """Ship until told to stop; a changed configuration file (prices, retention) is taken up on the way."""
    current = load(config, environ)
    while True:
        turn = threading.Event()
        watch = threading.Thread(
            target=_watch, args=(config, environ, current.version, stop, turn), daemon=True
        )
        watch.start()
        build(current, environ).run(turn)
        if stop.is_set():
            return
        current = load(config, environ)
        log.info("configuration %s in force", current.version)


def _watch(
    config: Path | None,
    environ: Mapping[str, str],
    version: str,
    stop: threading.Event,
    turn: threading.Event,
) -> None:
    """End the turn when the process is to stop, or when a valid file says something else."""
    while not stop.wait(1.0):
        try:
            if load(config, environ).version != version:
                break
        except ConfigError:
            continue
    turn.set()


def _refresh(ring: KeyRing) -> None:
    ring.refresh()


def main() -> None:
    """Entry of `python -m cli.shipping`, started by the supervisor."""
    parser = argparse.ArgumentParser(description="The Understudy shipper; started by `understudy serve`.")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--lifeline", type=int, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_await_end, args=(arguments.lifeline, stop), daemon=True).start()
    run(find_config(arguments.config), os.environ, stop)


def _await_end(lifeline: int, stop: threading.Event) -> None:
    """The pipe says nothing until the parent is gone."""
    os.read(lifeline, 1)
    log.error("the parent process is gone; the shipper stops")
    stop.set()


if __name__ == "__main__":
    main()
