"""Serving the simulator: uvicorn with a protocol that allows TCP faults, in this thread or in one of its own."""

from __future__ import annotations

import socket
import threading
from types import TracebackType

import uvicorn

from serving.endpoints.asgi import ASGIApp
from simulator.connection import FaultyProtocol


def listen(host: str, port: int) -> socket.socket:
    """A bound and listening socket; port 0 takes a free one."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError:
        listening.close()
        raise
    return listening


def url_of(listening: socket.socket) -> str:
    """The http URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def build_server(app: ASGIApp) -> uvicorn.Server:
    """A uvicorn server that says nothing and adds no header but `date`."""
    config = uvicorn.Config(
        app,
        http=FaultyProtocol,
        ws="websockets-sansio",
        lifespan="on",
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until interrupted."""
    build_server(app).run(sockets=[listening])


class RunningServer:
    """A context manager that serves an app on a free port of 127.0.0.1, in a thread with its own event loop.

    `url` is `http://127.0.0.1:PORT`, `base_url` the same with `/v1`.
    """

    def __init__(self, app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app = app
        self._listening = listen(host, port)
        self._server = build_server(app)
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)
        self.url = url_of(self._listening)
        self.base_url = f"{self.url}/v1"

    def __enter__(self) -> RunningServer:
        """Start; the socket listens already, so requests may be sent at once."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop and wait for the thread."""
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._listening.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._listening])
