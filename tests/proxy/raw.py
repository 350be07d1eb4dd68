"""A client whose every byte a test decides, and that reads an answer as the wire has it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

DEADLINE = 20.0
"""Seconds after which a test that waits has failed."""


@dataclass(frozen=True)
class Answer:
    """One response as it came; `body` without its transfer coding."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    complete: bool = True
    """Whether the framing says that nothing is missing."""

    def header(self, name: str) -> bytes | None:
        """The value of a header that may come once; None when it is absent."""
        values = [value for key, value in self.headers if key == name.encode()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None


class RawClient:
    """One connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *pieces: bytes) -> None:
        """Write each piece as a packet of its own."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def head(self) -> Answer:
        """Read a response head, without its body; 1xx heads are answers of their own."""
        async with asyncio.timeout(DEADLINE):
            text = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = text.split(b"\r\n")[:-2]
        headers = [
            (name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)
        ]
        return Answer(int(first.split()[1]), headers, b"")

    async def answer(self, method: str = "GET") -> Answer:
        """Read one whole response, as far as it comes."""
        head = await self.head()
        async with asyncio.timeout(DEADLINE):
            body, complete = await self._body(head, method)
        return Answer(head.status, head.headers, body, complete)

    async def _body(self, head: Answer, method: str) -> tuple[bytes, bool]:
        if method == "HEAD" or head.status in (204, 304) or head.status < 200:
            return b"", True
        length = head.header("content-length")
        if head.header("transfer-encoding") == b"chunked":
            assert length is None
            return await self._chunked()
        try:
            if length is None:
                return await self.reader.read(), True
            return await self.reader.readexactly(int(length)), True
        except asyncio.IncompleteReadError as error:
            return error.partial, False

    async def _chunked(self) -> tuple[bytes, bool]:
        pieces = []
        try:
            while piece := await self.chunk():
                pieces.append(piece)
        except asyncio.IncompleteReadError as error:
            return b"".join([*pieces, error.partial]), False
        return b"".join(pieces), True

    async def chunk(self) -> bytes:
        """Read one chunk of a chunked body; empty at its end."""
        async with asyncio.timeout(DEADLINE):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            piece = await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        return piece

    async def rest(self) -> bytes:
        """Everything until the proxy closes the connection."""
        pieces = []
        async with asyncio.timeout(DEADLINE):
            try:
                while piece := await self.reader.read(65536):
                    pieces.append(piece)
            except ConnectionError:
                pass
        return b"".join(pieces)

    def reset(self) -> None:
        """Leave with a TCP reset."""
        connection: socket.socket = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        """Leave in good order."""
        self.writer.close()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[RawClient]:
    """A connection to the proxy at a port of 127.0.0.1."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    client = RawClient(reader, writer)
    try:
        yield client
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def request(method: str, path: str, body: bytes | None = None, *lines: str, version: str = "1.1") -> bytes:
    """A request with the given header lines; a body comes with its content-length."""
    head = [f"{method} {path} HTTP/{version}", "host: proxy", *lines]
    if body is not None:
        head.append(f"content-length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + (body or b"")


def chunked(*pieces: bytes) -> bytes:
    """A whole chunked body."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
