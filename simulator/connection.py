"""Real sockets for real faults: a uvicorn protocol that lets the application at its connection.

The transport travels in the ASGI scope as an extension; only the fault injector looks for it.
"""

from __future__ import annotations

import asyncio
import socket
import struct

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.endpoints.asgi import Scope

EXTENSION = "simulator.connection"


class Connection:
    """What a fault may do to the TCP connection beneath a request."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def reset(self) -> None:
        """Close with a RST: the peer sees a connection reset."""
        linger = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    def close(self) -> None:
        """Close with a FIN once what was written has left."""
        self._transport.close()

    def write(self, raw: bytes) -> None:
        """Send bytes past the HTTP machinery."""
        self._transport.write(raw)


class FaultyProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with its connection in every scope."""

    def on_message_begin(self) -> None:
        """Starts a request's scope."""
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"connection": Connection(self.transport)}}


def connection_of(scope: Scope) -> Connection:
    """The connection of a request; raises RuntimeError when another server than `simulator.server` runs the app."""
    extension = (scope.get("extensions") or {}).get(EXTENSION)
    if extension is None:
        raise RuntimeError("TCP faults need a real socket: serve the app with simulator.server.RunningServer")
    connection: Connection = extension["connection"]
    return connection
