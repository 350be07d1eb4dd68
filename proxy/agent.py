"""The agent's side of a call: reading its body, answering it, and noticing when it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

from proxy.errors import ClientLeft, Refusal
from proxy.transport.base import Headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_IDLE_SECONDS: Final = 60.0
"""How long an agent may pause within its request body before it is answered 408."""


class Agent:
    """One ASGI request, seen from the data path."""

    __slots__ = ("_body_complete", "_finished", "_receive", "_send", "_task", "_watch", "left", "started")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._watch: asyncio.Task[None] | None = None
        self._body_complete = False
        self._finished = False
        self.started = False
        """Whether a response head has been sent: after that no other answer can be given."""
        self.left = False

    # The request body

    async def read_body(self, limit: int) -> tuple[bytes, bool]:
        """Read up to `limit` bytes; the flag says whether that was all. Raises ClientLeft and Refusal(408)."""
        first = await self._next_chunk()
        if self._body_complete:
            return first, True
        chunks, size = [first], len(first)
        while not self._body_complete and size <= limit:
            chunk = await self._next_chunk()
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks), self._body_complete

    async def stream_body(self) -> AsyncIterator[bytes]:
        """What has not been read of the body yet, as it arrives; whoever consumes it, leaving ends the call's task."""
        try:
            while not self._body_complete:
                chunk = await self._next_chunk()
                if chunk:
                    yield chunk
        except ClientLeft:
            self._leave()
            raise
        self.watch()

    async def _next_chunk(self) -> bytes:
        try:
            async with asyncio.timeout(BODY_IDLE_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(408, f"No request body arrived for {BODY_IDLE_SECONDS:.0f} seconds.") from None
        if message["type"] == "http.disconnect":
            raise ClientLeft
        self._body_complete = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    # Leaving

    def watch(self) -> None:
        """From now on the call's task is cancelled when the agent leaves. The body must have been read."""
        self._watch = asyncio.get_running_loop().create_task(self._await_leaving())

    async def _await_leaving(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        if not self._finished:
            self.left = True
            self._task.cancel()

    def unwatch(self) -> None:
        """Stop watching: the call is over."""
        self._finished = True
        if self._watch is not None:
            self._watch.cancel()

    # The answer

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, chunk: bytes) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def finish(self, chunk: bytes = b"") -> None:
        """Send the last bytes; a client that has them has everything."""
        self._finished = True
        await self._send({"type": "http.response.body", "body": chunk, "more_body": False})
