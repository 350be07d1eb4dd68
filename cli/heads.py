"""The head server's process: `python -m cli.heads`, started by the supervisor on a socket it was handed."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from typing import Final

import uvicorn
import uvloop

from cli import logs, process_arguments
from cli.context import EXIT_USAGE, key_file
from config.load import Configuration
from config.problem import ConfigError
from serving.encoders.ladder import Encoders
from serving.heads.app import HeadServer
from serving.heads.shelf import Shelf
from serving.publication import FILE_NAME, HEADS
from store.artifacts import ArtifactStore
from store.errors import StoreError
from store.keyring import KeyRing

log = logging.getLogger("understudy.heads")

_BACKLOG: Final = 512
_DRAIN_SECONDS: Final = 5


def compose(configuration: Configuration, environ: dict[str, str]) -> HeadServer:
    """Build the server. Raises StoreError when the keys cannot be used."""
    settings = configuration.settings
    ring = KeyRing.load(key_file(configuration), environ)
    embedded = {
        name for name, engine in settings.engines.items() if engine.kind == "heads" and not engine.urls
    }
    shelf = Shelf(
        settings.state_dir / "learned" / FILE_NAME,
        ArtifactStore(configuration.artifacts, ring),
        ring,
        Encoders(),
        frozenset(embedded | {HEADS}),
    )
    return HeadServer(shelf)


def serve(app: HeadServer, listener: socket.socket, lifeline: int) -> None:
    """Serve until a signal comes or the parent is gone."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            loop="uvloop",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(server, listener, lifeline))


async def _serve(server: uvicorn.Server, listener: socket.socket, lifeline: int) -> None:
    loop = asyncio.get_running_loop()

    def parent_gone() -> None:
        loop.remove_reader(lifeline)
        log.error("the parent process is gone; the head server stops")
        server.should_exit = True

    loop.add_reader(lifeline, parent_gone)
    await server.serve(sockets=[listener])


def main() -> None:
    """Entry of `python -m cli.heads`."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))  # until uvicorn takes them over
    arguments = process_arguments.parse("Understudy's server of classification heads")
    logs.configure()
    # Read where torch is loaded, with the first head that needs it: for one text at a time more threads wait for each
    # other longer than they work, and they wait on the cores that the proxy needs.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        app = compose(arguments.configuration(os.environ), dict(os.environ))
    except (ConfigError, StoreError) as error:
        print(f"understudy: {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    listener = socket.socket(fileno=arguments.listener)
    listener.listen(_BACKLOG)
    serve(app, listener, arguments.lifeline)


if __name__ == "__main__":
    main()
