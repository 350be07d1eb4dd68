"""The real thing in this process: a composed worker under uvicorn on uvloop, in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop
import yaml

from cli.context import key_file
from cli.in_force import InForce
from cli.shipping import build
from cli.worker import Worker, compose
from config.load import Configuration, load
from proxy.limits import Limits
from proxy.server import server_for
from simulator.server import listen, url_of
from store.calls import Call, Calls
from store.database import open_engine
from store.keyring import DIGEST, KeyRing, Sealer
from store.record import Record
from store.segment import SegmentReader

DEADLINE = 20.0
"""Seconds after which a test that waits has failed."""


class RunningProxy:
    """One worker of the proxy, listening from the start; what it recorded can be read back."""

    def __init__(
        self, configuration: Configuration, environ: Mapping[str, str], limits: Limits, heads: str = ""
    ) -> None:
        self.configuration = configuration
        self.environ = environ
        self._in_force = InForce.create(configuration)
        self.worker: Worker = compose(configuration, environ, self._in_force, heads)
        self._listener: socket.socket = listen("127.0.0.1", 0)
        self.url = url_of(self._listener)
        self.base_url = f"{self.url}/v1"
        self.port: int = self._listener.getsockname()[1]
        self._server = server_for(
            self.worker.app,
            self.worker.app.handle,
            drain=configuration.settings.server.drain,
            limits=limits,
        )
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        wait_for(lambda: self._server.started, "the proxy serves")

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._server.serve(sockets=[self._listener]))

    def begin_shutdown(self) -> None:
        """What a signal does."""
        self._server.should_exit = True

    def stop(self) -> None:
        """Shut down as a worker does: open calls finish, then the journal is closed."""
        if self._stopped:
            return
        self._stopped = True
        self.begin_shutdown()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the proxy did not shut down"
        self.worker.close()
        os.close(self._in_force.fd)

    # What it recorded

    @property
    def journal(self) -> Path:
        """The folder of the journal."""
        return self.configuration.settings.state_dir / "journal"

    def journaled(self) -> list[Record]:
        """The records that stand in the journal now, in the order of their calls."""
        ring = KeyRing.load(key_file(self.configuration), self.environ)
        records = [
            entry.record
            for path in self.journal.glob("*.seg")
            for entry in SegmentReader(path, ring).entries()
            if entry.record is not None
        ]
        return sorted(records, key=lambda record: record.id)

    def records(self, count: int) -> list[Record]:
        """Wait until that many records are there; more of them fail the test."""
        wait_for(lambda: len(self.journaled()) >= count, f"{count} records in the journal")
        found = self.journaled()
        assert len(found) == count
        return found

    def record(self) -> Record:
        """The only record."""
        return self.records(1)[0]

    def shipped(self) -> list[Call]:
        """Ship the journal into the database and read every call of it back, oldest first."""
        ring = KeyRing.load(key_file(self.configuration), self.environ)
        engine = open_engine(self.configuration.settings.store.url)
        try:
            with build(self.configuration, self.environ, engine) as shipper:
                shipper.ship_once()
            calls = Calls(engine, Sealer(ring), ring.active.derive(DIGEST))
            found = [calls.get(summary.id) for summary in reversed(calls.list())]
        finally:
            engine.dispose()
        return [call for call in found if call is not None]


def start(
    folder: Path,
    upstream: str | Mapping[str, Any],
    *,
    environ: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    heads: str = "",
    **sections: Any,
) -> RunningProxy:
    """Serve a configuration: `upstream` is a server's URL or its whole section, `sections` the rest of the file;
    `heads` is the URL of the embedded head server."""
    section = {"base_url": f"{upstream}/v1"} if isinstance(upstream, str) else dict(upstream)
    document = {
        "version": 1,
        "server": {"drain": "3s"},
        "upstreams": {"llm": section},
        "state_dir": "state",
    } | sections
    path = folder / "understudy.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    variables = {} if environ is None else environ
    return RunningProxy(load(path, variables), variables, limits or Limits(), heads)


def wait_for(condition: Any, what: str) -> None:
    """Block until a condition of another thread holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.002)
