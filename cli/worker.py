"""One worker process: composes the proxy from a configuration and serves it on a socket it was handed."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import uvicorn
import uvloop

from cli import logs, process_arguments
from cli.backtest_process import BacktestProcess
from cli.context import EXIT_USAGE, MIRROR_FILE, key_file
from cli.in_force import InForce
from config.load import Configuration
from config.problem import ConfigError
from config.watch import Watcher
from proxy.app import App, create_app
from proxy.auth import Authenticator, Passthrough, ProxyKeys
from proxy.control.app import create_control
from proxy.control.engine_loads import EngineLoads
from proxy.control.readings import Readings
from proxy.control.rules_desk import RulesDesk
from proxy.live import Live
from proxy.published import LearnedStatus, PublishedWatcher
from proxy.recogniser import open_recogniser
from proxy.server import server_for
from proxy.transport.choice import create_transport
from proxy.workers import WorkerBoard, WorkerStatus
from serving.publication import read_publication
from store.artifacts import ArtifactStore
from store.errors import StoreError
from store.journal import Journal
from store.keyring import KeyRing

log = logging.getLogger("understudy.worker")

_HOUSEKEEPING_SECONDS: Final = 1.0


@dataclass(slots=True)
class Worker:
    """A composed worker: the ASGI application, and what it holds open."""

    app: App
    journal: Journal
    live: Live
    watcher: Watcher
    published: PublishedWatcher | None
    """None where learning is not enabled."""
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
            learned=self.published.status() if self.published else LearnedStatus(),
            engines=self.live.engines.status(),
        )

    def close(self) -> None:
        """Finish the journal once the last call has ended."""
        self.journal.close()
        _complain(self.journal.unsynced().sync())
        self.board.withdraw(self.status())


def compose(
    configuration: Configuration, environ: Mapping[str, str], in_force: InForce, heads: str = ""
) -> Worker:
    """Build a worker; `heads` is the URL of the embedded head server. Raises StoreError when the journal, its keys or
    the store's URL cannot be used."""
    settings = configuration.settings
    state = settings.state_dir
    ring = KeyRing.load(key_file(configuration), environ)
    journal = Journal(configuration.journal, ring, fsync=settings.store.fsync)
    live = Live(configuration, heads)
    board = WorkerBoard(state / "workers")
    auth: Authenticator = Passthrough()
    keys = ProxyKeys(state / MIRROR_FILE) if settings.auth.mode == "keys" else None
    if keys is not None:
        keys.refresh()
        auth = keys

    def change(fresh: Configuration) -> None:
        live.swap(fresh)
        in_force.put(fresh)

    watcher = Watcher(configuration, environ, on_change=change)
    published = _published(configuration, ring, live) if settings.learning.enabled else None
    worker: Worker

    def status() -> WorkerStatus:
        return worker.status()

    loads = EngineLoads(lambda: live.configuration)
    readings = Readings(
        settings.store.url, ring, configuration.journal, board, this_worker=status, loads=loads
    )
    desk = RulesDesk(lambda: live.configuration, environ, BacktestProcess(configuration.path))
    control = create_control(auth, readings, desk)

    async def housekeeping() -> None:
        while True:
            journal.roll()
            if unsynced := journal.unsynced():
                _complain(await asyncio.to_thread(unsynced.sync))
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
        background=[watcher.run, housekeeping, *([published.run] if published else [])],
    )
    worker = Worker(app, journal, live, watcher, published, board)
    return worker


def _complain(fault: OSError | None) -> None:
    if fault is not None:
        log.error("the journal cannot be forced to disk: %s", fault.strerror)


def _published(configuration: Configuration, ring: KeyRing, live: Live) -> PublishedWatcher:
    """What is deployed, in force before the first call."""
    watcher = PublishedWatcher(
        configuration.published,
        lambda path: read_publication(path, ring),
        partial(open_recogniser, ArtifactStore(configuration.artifacts, ring)),
        live.learn,
    )
    watcher.look()
    return watcher


class Ending:
    """Remembers that this process was told to stop, also while it was still starting."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: object) -> None:
        self.asked = True


def serve(worker: Worker, listener: socket.socket, lifeline: int, ending: Ending, *, drain: float) -> None:
    """Serve until a signal comes or the parent is gone, finish open calls, close the journal."""
    server = server_for(worker.app, worker.app.handle, drain=drain)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(server, listener, lifeline, ending))
    finally:
        worker.close()


async def _serve(server: uvicorn.Server, listener: socket.socket, lifeline: int, ending: Ending) -> None:
    loop = asyncio.get_running_loop()

    def parent_gone() -> None:
        loop.remove_reader(lifeline)
        log.error("the parent process is gone; this worker stops")
        server.should_exit = True

    loop.add_reader(lifeline, parent_gone)
    server.should_exit = ending.asked
    await server.serve(sockets=[listener])


def main() -> None:
    """Entry of `python -m cli.worker`, started by the supervisor."""
    # uvicorn takes the signals over while it serves, and raises them again afterwards: without a handler of ours
    # that would end the process before its journal is closed.
    ending = Ending()
    arguments = process_arguments.parse("One Understudy worker")
    logs.configure()
    try:
        configuration = arguments.configuration(os.environ)
        worker = compose(configuration, os.environ, arguments.in_force, arguments.heads)
    except (ConfigError, StoreError) as error:
        print(f"understudy: {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    gc.freeze()
    listener = socket.socket(fileno=arguments.listener)
    serve(worker, listener, arguments.lifeline, ending, drain=configuration.settings.server.drain)


if __name__ == "__main__":
    main()
