"""One worker process: composes the proxy from a configuration and serves it on a socket it was handed."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
import uvloop

from cli.context import MIRROR_FILE, find_config, key_file
from config.load import Configuration, load
from config.watch import Watcher
from proxy.app import App, create_app
from proxy.auth import Authenticator, Passthrough, ProxyKeys
from proxy.control.app import create_control
from proxy.control.readings import Readings
from proxy.live import Live
from proxy.server import server_for
from proxy.transport.choice import create_transport
from proxy.workers import WorkerBoard, WorkerStatus
from store.journal import Journal
from store.keyring import KeyRing

log = logging.getLogger("understudy.worker")

LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_HOUSEKEEPING_SECONDS: Final = 1.0


@dataclass(slots=True)
class Worker:
    """A composed worker: the ASGI application, and what it holds open."""

    app: App
    journal: Journal
    live: Live
    watcher: Watcher
    board: WorkerBoard

    def status(self) -> WorkerStatus:
        """What this worker says of itself to `/stats`."""
        watcher, journal = self.watcher, self.journal
        return WorkerStatus(
            pid=os.getpid(),
            written=time.time(),
            config=self.live.configuration.version,
            config_loaded=watcher.loaded_at,
            config_error=str(watcher.last_error) if watcher.last_error else None,
            restart_needed=watcher.pending_restart,
            journal_lost=journal.lost,
            journal_error=type(journal.last_error).__name__ if journal.last_error else None,
        )

    def close(self) -> None:
        """Finish the journal once the last call has ended."""
        self.journal.close()
        self.board.withdraw(os.getpid())


def compose(configuration: Configuration, environ: Mapping[str, str]) -> Worker:
    """Build a worker. Raises StoreError when the journal or its keys cannot be used."""
    settings = configuration.settings
    state = settings.state_dir
    ring = KeyRing.load(key_file(configuration), environ)
    journal = Journal(state / "journal", ring)
    live = Live(configuration)
    board = WorkerBoard(state / "workers")
    auth: Authenticator = Passthrough()
    keys = ProxyKeys(state / MIRROR_FILE) if settings.auth.mode == "keys" else None
    if keys is not None:
        keys.refresh()
        auth = keys
    watcher = Watcher(configuration, environ, on_change=live.swap)
    worker: Worker

    def status() -> WorkerStatus:
        return worker.status()

    control = create_control(
        auth, Readings(settings.store.url, ring, state / "journal", board, this_worker=status)
    )

    async def housekeeping() -> None:
        while True:
            journal.roll()
            board.post(status())
            if keys is not None:
                keys.refresh()
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)

    app = create_app(
        live,
        auth,
        journal,
        create_transport(settings.server.transport),
        control,
        background=[watcher.run, housekeeping],
    )
    worker = Worker(app, journal, live, watcher, board)
    return worker


def serve(worker: Worker, listener: socket.socket, lifeline: int, *, drain: float) -> None:
    """Serve until a signal comes or the parent is gone, finish open calls, close the journal."""
    server = server_for(worker.app, worker.app.handle, drain=drain)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(server, listener, lifeline))
    finally:
        worker.close()


async def _serve(server: uvicorn.Server, listener: socket.socket, lifeline: int) -> None:
    loop = asyncio.get_running_loop()

    def parent_gone() -> None:
        loop.remove_reader(lifeline)
        log.error("the parent process is gone; this worker stops")
        server.should_exit = True

    loop.add_reader(lifeline, parent_gone)
    await server.serve(sockets=[listener])


def main() -> None:
    """Entry of `python -m cli.worker`, started by the supervisor."""
    parser = argparse.ArgumentParser(description="One Understudy worker; started by `understudy serve`.")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--listener", type=int, required=True)
    parser.add_argument("--lifeline", type=int, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    configuration = load(find_config(arguments.config), os.environ)
    worker = compose(configuration, os.environ)
    listener = socket.socket(fileno=arguments.listener)
    serve(worker, listener, arguments.lifeline, drain=configuration.settings.server.drain)


if __name__ == "__main__":
    main()
