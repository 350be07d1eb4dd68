"""A request body that is still being made while it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from proxy.transport.base import SendError


class Sink(Protocol):
    """Where a body's bytes go."""

    async def push(self, *parts: bytes) -> None:
        """Write, and wait while the peer reads more slowly than we write."""


async def send_body(sink: Sink, body: AsyncIterator[bytes], length: int | None) -> None:
    """Send every piece: chunked when `length` is None, else as `measured` allows."""
    if length is None:
        async for piece in body:
            if piece:
                await sink.push(b"%x\r\n" % len(piece), piece, b"\r\n")
        await sink.push(b"0\r\n\r\n")
    else:
        async for piece in measured(body, length):
            await sink.push(piece)


async def measured(body: AsyncIterator[bytes], length: int) -> AsyncIterator[bytes]:
    """The same pieces; raises SendError before they pass `length` bytes or when they end short of it.

    A length that is not kept would let the rest of a body pass for the next request."""
    sent = 0
    async for piece in body:
        sent += len(piece)
        if sent > length:
            raise SendError(f"the request body is longer than the {length} bytes announced")
        yield piece
    if sent < length:
        raise SendError(f"the request body ended after {sent} of {length} bytes")
