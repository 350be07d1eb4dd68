"""The agent's side of a call: reading its body, answering it, and noticing when it leaves.

    connection ── feed, complete, lost ──> Agent <── read_body, start, send, finish ── data path

An Agent is one request on one HTTP/1.1 connection. It speaks to the socket directly: a head and a body that are ready
together leave in one write, and a connection that is lost cancels the call at once, with no task standing watch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final, Protocol

from proxy.agent_headers import AgentHeaders
from proxy.errors import ClientLeft, Refusal

_HIGH_WATER: Final = 256 * 1024
"""Bytes of request body waiting to be read past which the connection is not read further."""
_WITHOUT_BODY: Final = frozenset({204, 304})
_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class Wire(Protocol):
    """What an Agent needs of its connection."""

    def write(self, data: bytes) -> None: ...
    def flush(self) -> asyncio.Future[None] | None:
        """What to wait for before writing more; None when the peer keeps up."""
        ...

    def pause(self) -> None:
        """Read no more from the peer for now."""
        ...

    def resume(self) -> None: ...
    def completed(self, agent: Agent) -> None:
        """The answer is written whole; the connection may take the next request."""
        ...

    def cut(self) -> None:
        """Close without completing the answer, so that the peer notices."""
        ...


class Agent:
    """One request, seen from the data path."""

    # What most requests never change stands on the class, so that beginning one costs little.
    disconnected = False
    left = False
    response_complete = False
    started = False
    """Whether the head of an answer has left: after that no other answer can be given."""
    _buffered = 0
    _chunked = False
    _head = b""
    _held = False
    """Whether the connection is not read further because of us."""
    _room = _HIGH_WATER
    _spoilt = False
    _task: asyncio.Task[Any] | None = None
    _waiter: asyncio.Future[None] | None = None
    _watched = False

    def __init__(
        self,
        wire: Wire,
        method: str,
        path: bytes,
        headers: AgentHeaders,
        *,
        length: int | None,
        has_body: bool,
        http_1_0: bool,
        keep_alive: bool,
        body_seconds: float,
        expects_continue: bool,
        body: bytes | None = None,
    ) -> None:
        self.received = time.perf_counter_ns()
        self.method = method
        self.path = path
        """Path and query string as they came, percent-encoded."""
        self.headers = headers
        self.length = length
        """The request's content-length; None when it is chunked or has no body."""
        self.keep_alive = keep_alive
        self._wire = wire
        self._http_1_0 = http_1_0
        self._body_seconds = body_seconds
        self._expects_continue = expects_continue and not http_1_0
        self._body_complete = not has_body or body is not None
        self._chunks = [body] if body else []

    # The connection's side

    def feed(self, data: bytes) -> None:
        """A piece of the request body arrived."""
        self._chunks.append(data)
        self._buffered += len(data)
        if self._buffered > self._room:
            self._held = True
            self._wire.pause()
        self._wake()

    def complete(self) -> None:
        """The request body is here."""
        self._body_complete = True
        self._wake()

    def spoil(self) -> None:
        """What should have been the rest of the request body is none."""
        self._spoilt = True
        self._wake()

    def begin(self, task: asyncio.Task[Any]) -> None:
        """The call is being worked on by this task."""
        self._task = task

    def lost(self) -> None:
        """The connection is gone: whoever waits for the body hears of it, and a watched call is cancelled."""
        self.disconnected = True
        if self.response_complete:
            return
        self.left = True
        if self._watched and self._task is not None:
            self._task.cancel()
        else:
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # The request body

    @property
    def has_body(self) -> bool:
        """Whether any of the body is still to be read, or waits to be taken."""
        return not self._body_complete or bool(self._chunks)

    @property
    def unread(self) -> bool:
        """Whether the agent has not sent all of its request."""
        return not self._body_complete

    def whole_body(self) -> bytes | None:
        """The body, taken, when all of it is here already; None while it is not."""
        return self._take() if self._body_complete else None

    async def read_body(self, limit: int) -> tuple[bytes, bool]:
        """Read up to about `limit` bytes; the flag says whether that was all. Raises ClientLeft and Refusal."""
        while not self._body_complete and self._buffered <= limit:
            self._room = limit
            self._read_on()
            await self._await_more()
        self._room = _HIGH_WATER
        return self._take(), self._body_complete

    async def stream_body(self) -> AsyncIterator[bytes]:
        """What has not been read of the body yet, as it arrives; then the call is watched."""
        while True:
            if self._chunks:
                yield self._take()
            elif self._body_complete:
                break
            else:
                await self._await_more()
        self.watch()

    def _take(self) -> bytes:
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._buffered = 0
        self._read_on()
        return data

    def _read_on(self) -> None:
        if self._held:
            self._held = False
            self._wire.resume()

    async def _await_more(self) -> None:
        if self._expects_continue:
            self._expects_continue = False
            self._wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not (self.left or self._spoilt):
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._body_seconds):
                    await self._waiter
            except TimeoutError:
                self.keep_alive = False
                raise Refusal(408, f"No request body arrived for {self._body_seconds:g} seconds.") from None
            finally:
                self._waiter = None
        if self.left:
            if self._task is not None and asyncio.current_task() is not self._task:
                self._task.cancel()
            raise ClientLeft
        if self._spoilt:
            raise Refusal(400, "The request body is not framed as HTTP/1.1 asks.", code="invalid_body")

    # Leaving

    def watch(self) -> None:
        """From now on the call's task is cancelled when the agent leaves. The body must have been read."""
        self._watched = True
        if self.left:
            raise ClientLeft

    # The answer

    def start(self, status: int, head: bytes, *, length: int | None) -> None:
        """Prepare an answer; its head leaves with the first bytes of its body.

        `head` is the header lines as bytes, each with its line end; `length` is the body's, None when it is unknown."""
        lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status, head]
        if length is not None:
            lines.append(b"content-length: %d\r\n" % length)
        elif self.method != "HEAD" and status not in _WITHOUT_BODY:
            if self._http_1_0:
                self.keep_alive = False
            else:
                self._chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
        if not self.keep_alive or not self._body_complete:
            self.keep_alive = False
            lines.append(b"connection: close\r\n")
        elif self._http_1_0:
            lines.append(b"connection: keep-alive\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)
        self.started = True

    def hurry(self) -> None:
        """Let the head leave now, unless a part of its body is sent at once."""
        asyncio.get_running_loop().call_soon(self._write, b"")

    async def send(self, chunk: bytes) -> None:
        """Send a part of the body; waits while the agent reads more slowly than it is served."""
        self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._chunked and chunk else chunk)
        waiting = self._wire.flush()
        if waiting is not None:
            await waiting

    def finish(self, chunk: bytes = b"") -> None:
        """Send the last bytes; an agent that has them has everything."""
        if self._chunked:
            chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(chunk), chunk) if chunk else b"0\r\n\r\n"
        self._write(chunk)
        self.response_complete = True
        self._wire.completed(self)

    def cut(self) -> None:
        """Break the connection off: the answer cannot be completed, and the agent must notice."""
        self._write(b"")
        self._wire.cut()

    def _write(self, data: bytes) -> None:
        if self._head:
            data = self._head + (b"" if self.method == "HEAD" else data)
            self._head = b""
        elif self.method == "HEAD":
            return
        if data and not self.disconnected:
            self._wire.write(data)


Handler = Callable[[Agent], Coroutine[Any, Any, None]]
"""The data path: answers one request, and raises nothing but being cancelled."""
