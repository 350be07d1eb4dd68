"""uvicorn with a protocol of our own: its sockets, shutdown and draining, its websockets and its ASGI applications."""

from __future__ import annotations

from typing import Any

import uvicorn

from proxy.agent import Handler
from proxy.data_protocol import DataProtocol
from proxy.limits import Limits


def server_for(app: Any, handler: Handler, *, drain: float, limits: Limits | None = None) -> uvicorn.Server:
    """A uvicorn server for the composed application.

    `handler` takes the data path's requests; `drain` in seconds is how long open calls may take at shutdown."""

    class Protocol(DataProtocol):
        pass

    Protocol.handler = staticmethod(handler)
    Protocol.limits = limits or Limits()
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="websockets-sansio",
        ws_max_size=2**27,
        ws_per_message_deflate=False,
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, round(drain)),
        backlog=2048,
    )
    return uvicorn.Server(config)
