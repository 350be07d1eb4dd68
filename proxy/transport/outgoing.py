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
    """Send every piece, chunked when `length` is None.

    Raises SendError when the pieces do not add up to `length`: the framing would break."""
    if length is None:
        async for piece in body:
            if piece:
                await sink.push(b"%x\r\n" % len(piece), piece, b"\r\n")
        await sink.push(b"0\r\n\r\n")
        return
    sent = 0
    async for piece in body:
        sent += len(piece)
        if sent > length:
            raise SendError(f"the request body is longer than the {length} bytes announced")
        await sink.push(piece)
    if sent < length:
        raise SendError(f"the request body ended after {sent} of {length} bytes")
