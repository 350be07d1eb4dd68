"""A response as it comes in: filled by its connection, emptied by its reader, bounded in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from proxy.transport.base import Headers, ReadError, TransportError

MAX_BUFFERED = 256 * 1024
"""Bytes of body waiting for their reader past which the connection stops reading."""


class Source(Protocol):
    """What a response needs of the connection it arrives on."""

    def resume(self) -> None:
        """Read on, after the buffer was emptied."""

    def await_more(self, seconds: float | None) -> None:
        """Fail the response unless something arrives within `seconds`, once; None waits for ever."""

    def abandon(self) -> None:
        """Close the connection: the rest of the response is not wanted."""


class IncomingResponse:
    """`base.Response` of the lean transport."""

    buffered = 0
    _done = False
    _error: TransportError | None = None
    _waiter: asyncio.Future[None] | None = None

    def __init__(
        self,
        status: int,
        reason: bytes,
        headers: Headers,
        *,
        source: Source,
        idle: float | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self._buffer: list[bytes] = []
        self._idle = idle
        self._loop = loop
        self._source = source

    def feed(self, data: bytes) -> None:
        """A piece of body arrived; the reader is woken by `wake` once all of a packet is in."""
        self._buffer.append(data)
        self.buffered += len(data)

    def finish(self) -> None:
        """The body is complete."""
        self._done = True
        if self._waiter is not None:
            self.wake()

    def fail(self, error: TransportError) -> None:
        """Nothing more will come; what is buffered is still handed out first."""
        if not self._done:
            self._done = True
            self._error = error
            self.wake()

    def wake(self) -> None:
        """Let a waiting reader look again."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def chunks(self) -> AsyncIterator[bytes]:
        """See `base.Response.chunks`; what arrived together is handed out together."""
        while True:
            if self._buffer:
                yield self._take()
            elif self._done:
                break
            else:
                await self._wait()
        if self._error is not None:
            raise self._error

    def whole(self) -> bytes | None:
        """See `base.Response.whole`."""
        return self._take() if self._done and self._error is None else None

    async def read(self) -> bytes:
        """See `base.Response.read`; returns without suspending when the body is already here."""
        if self._done and self._error is None:
            return self._take()
        return b"".join([chunk async for chunk in self.chunks()])

    async def aclose(self) -> None:
        """See `base.Response.aclose`."""
        if not self._done:
            self.fail(ReadError("the response was closed before its end"))
            self._source.abandon()
        self._buffer.clear()

    def _take(self) -> bytes:
        buffer = self._buffer
        data = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        buffer.clear()
        if self.buffered > MAX_BUFFERED and not self._done:
            self._source.resume()
        self.buffered = 0
        return data

    async def _wait(self) -> None:
        self._waiter = waiter = self._loop.create_future()
        self._source.await_more(self._idle)
        try:
            await waiter
        except BaseException:
            await self.aclose()
            raise
        finally:
            self._waiter = None
