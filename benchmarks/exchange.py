"""The measuring client: one connection, one streamed answer at a time, stamped when its first body byte arrives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

import httptools

from benchmarks.peers.peer import Served
from benchmarks.request import AUTHORIZATION


class Exchange(asyncio.Protocol):
    """A keep-alive connection; `post` sends a request and waits for the whole answer."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.first_byte = 0.0
        """Clock reading when the first body byte of the last answer arrived."""
        self.on_first_byte: Callable[[], None] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._done: asyncio.Future[None] | None = None

    async def post(self, message: bytes) -> float:
        """Send a whole request; returns the seconds until the first body byte. Raises ConnectionError."""
        if self._transport is None:
            raise ConnectionError("the connection is not open")
        self._parts, self.first_byte, self.status = [], 0.0, 0
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        sent = time.perf_counter()
        self._transport.write(message)
        await self._done
        self.body = b"".join(self._parts)
        return self.first_byte - sent

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's has its methods, not its base

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError(f"the server closed the connection: {exc}"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Of httptools."""
        if not self.first_byte:
            self.first_byte = time.perf_counter()
            self.status = self._parser.get_status_code()
            if self.on_first_byte is not None:
                self.on_first_byte()
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """Of httptools."""
        if self._done is not None and not self._done.done():
            self._done.set_result(None)


async def connect(served: Served) -> Exchange:
    """Open a connection to a server."""
    parts = urlsplit(served.url)
    loop = asyncio.get_running_loop()
    _, exchange = await loop.create_connection(Exchange, parts.hostname or "", parts.port or 80)
    return exchange


def message(served: Served, body: bytes) -> bytes:
    """The bytes of a POST request."""
    parts = urlsplit(served.url)
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"host: {parts.netloc}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        f"authorization: {AUTHORIZATION}",
        *(f"{name}: {value}" for name, value in served.headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
