"""A server whose every byte a test decides: each accepted connection runs the test's script."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

DEADLINE = 20.0
"""Seconds after which a test that waits has failed."""


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire; `body` without its transfer coding."""

    head: bytes
    body: bytes

    @property
    def lines(self) -> list[bytes]:
        """Request line and header lines, names lower-case."""
        first, *rest = self.head.split(b"\r\n")[:-2]
        split = (line.split(b":", 1) for line in rest)
        return [first, *(name.lower() + b":" + value for name, value in split)]


class Peer:
    """The server's end of one connection."""

    def __init__(
        self, server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer

    async def request(self) -> Received:
        """Read one whole request."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        if b"\r\ntransfer-encoding: chunked\r\n" in lower:
            body = await self._chunked()
        elif b"\r\ncontent-length: " in lower:
            length = int(lower.split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
            body = await self.reader.readexactly(length)
        else:
            body = b""
        received = Received(head, body)
        self.server.requests.append(received)
        return received

    async def _chunked(self) -> bytes:
        pieces = []
        while size := int(await self.reader.readuntil(b"\n"), 16):
            pieces.append(await self.reader.readexactly(size))
            await self.reader.readuntil(b"\n")
        await self.reader.readuntil(b"\n")
        return b"".join(pieces)

    async def send(self, *pieces: bytes) -> None:
        """Write each piece as a packet of its own, and let the client, in this same loop, read it."""
        for piece in pieces:
            if self.writer.is_closing():
                raise ConnectionResetError("the client has gone")  # uvloop would raise RuntimeError
            self.writer.write(piece)
            await self.writer.drain()
            await turns()

    async def answer(self, *pieces: bytes) -> None:
        """Read a request, then send."""
        await self.request()
        await self.send(*pieces)

    async def closed(self) -> None:
        """Wait until the client has closed the connection."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        connection: socket.socket = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class ScriptedServer:
    """Where it listens, who came, what they asked."""

    url: str = ""
    peers: list[Peer] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)
    finished: int = 0
    """How many scripts have run to their end."""

    async def until_finished(self, count: int, what: str) -> None:
        """Wait until that many scripts have ended."""
        await until(lambda: self.finished == count, what)


@asynccontextmanager
async def scripted(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[ScriptedServer]:
    """Serve `script` on every connection; it closes when the script returns. A script's failure fails the test."""
    state = ScriptedServer()
    running: set[asyncio.Task[None]] = set()
    failures: list[BaseException] = []

    async def run(peer: Peer) -> None:
        try:
            await script(peer)
            state.finished += 1
        except (ConnectionError, asyncio.IncompleteReadError):
            state.finished += 1  # the client left: many tests are about that
        finally:
            peer.writer.close()

    def done(task: asyncio.Task[None]) -> None:
        running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            failures.append(error)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(state, reader, writer)
        state.peers.append(peer)
        task = asyncio.create_task(run(peer))
        running.add(task)
        task.add_done_callback(done)

    server = await asyncio.start_server(accept, host, port, ssl=tls, backlog=2048, reuse_address=True)
    port = server.sockets[0].getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    state.url = f"{'https' if tls else 'http'}://{name}:{port}"
    try:
        yield state
    finally:
        server.close()
        for task in tuple(running):
            task.cancel()
        if running:
            await asyncio.wait(tuple(running))
        await turns()
    if failures:
        raise failures[0]


async def turns(count: int = 4) -> None:
    """Let everything that is ready in this loop happen."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until `condition` holds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DEADLINE
    while not condition():
        assert loop.time() < deadline, f"never happened: {what}"
        await asyncio.sleep(0.002)
