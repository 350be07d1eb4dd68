"""One request and its response, in the words of the handlers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from serving.endpoints.asgi import Receive, Scope, Send, gone, header, read_body


@dataclass(slots=True)
class Exchange:
    """What a handler gets: the request to read and the means to answer it."""

    scope: Scope
    receive: Receive
    send: Send
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    """Headers that go with whatever is answered."""

    @property
    def method(self) -> str:
        """The request method."""
        return str(self.scope["method"])

    def header(self, name: str) -> str:
        """The first request header of a lower-case name, or an empty string."""
        return header(self.scope, name)

    async def body(self) -> bytes:
        """The whole request body."""
        return await read_body(self.receive)

    async def send_json(
        self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer with compact JSON."""
        await self.send_bytes(orjson.dumps(value), "application/json", status, headers)

    async def send_bytes(
        self, body: bytes, kind: str, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer with a body of known length."""
        given = {"content-type": kind, "content-length": str(len(body))} | dict(headers or {})
        await self._start(status, given)
        await self.send({"type": "http.response.body", "body": b"" if self.method == "HEAD" else body})

    async def stream(self, chunks: AsyncIterator[bytes], kind: str) -> None:
        """Answer with chunks as they come; stops when the client leaves."""
        sending = asyncio.ensure_future(self._send_chunks(chunks, kind))
        leaving = asyncio.ensure_future(gone(self.receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                await sending
        finally:
            leaving.cancel()
            sending.cancel()
            await asyncio.gather(leaving, sending, return_exceptions=True)

    async def wait(self, seconds: float) -> bool:
        """Wait; returns False as soon as the client has left."""
        if seconds <= 0:
            return True
        leaving = asyncio.ensure_future(gone(self.receive))
        done, _ = await asyncio.wait({leaving}, timeout=seconds)
        leaving.cancel()
        return not done

    async def _send_chunks(self, chunks: AsyncIterator[bytes], kind: str) -> None:
        await self._start(200, {"content-type": kind, "cache-control": "no-cache"})
        async for chunk in chunks:
            await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _start(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in {**headers, **self.headers}.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": lines})
