"""A `send` that spoils what passes through it, as a Fault says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import orjson

from serving.endpoints.asgi import Message, Receive, Scope, Send, gone
from simulator.connection import connection_of
from simulator.faults import Fault

_ENDING = re.compile(rb'data: \[DONE\]|"finish_reason":"|event: response\.completed|event: message_delta')
"""What the last events of a stream look like: an early end comes before them."""
_TRICKLE = 16
_SETTLE = 0.02
"""Seconds that written bytes get to arrive before a reset destroys what is still buffered."""


class Struck(Exception):
    """The fault has ended the response."""


async def stall(seconds: float, receive: Receive) -> None:
    """Wait; raises Struck at once when the client leaves meanwhile."""
    leaving = asyncio.ensure_future(gone(receive))
    done, _ = await asyncio.wait({leaving}, timeout=seconds)
    leaving.cancel()
    if done:
        raise Struck


async def ended(how: Callable[[], None], receive: Receive) -> Struck:
    """End the connection in some way and wait until it has ended; gives what to raise then."""
    how()
    await gone(receive)
    return Struck()


class Sabotage:
    """Stands in for `send` under the app; raises Struck once the response has been broken off."""

    def __init__(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        self._fault = fault
        self._scope = scope
        self._receive = receive
        self._send = send
        self._head: Message | None = None
        self._sent = 0
        self._streamed = False
        self._armed = _strikes_within_body(fault)

    async def __call__(self, message: Message) -> None:
        """Pass one ASGI message on, spoiled; the head waits for the first piece of the body."""
        if message["type"] == "http.response.start":
            self._head = message
            return
        body, more = message.get("body", b""), bool(message.get("more_body"))
        if self._head is not None:
            body = await self._open(self._head, body, more)
            self._head = None
        if self._armed and self._due(body, more):
            self._armed = False
            body = await self._strike(body)
        await self._write(body)
        if not more:
            await self._finish()

    async def _open(self, head: Message, body: bytes, more: bool) -> bytes:
        fault, headers = self._fault, dict(head["headers"])
        self._streamed = b"content-length" not in headers
        if fault.malformed == "json" and not more:
            body = body[: len(body) * 2 // 3]
            headers[b"content-length"] = str(len(body)).encode()
        if fault.content_type:
            headers[b"content-type"] = fault.content_type.encode()
        if fault.huge_headers:
            headers[b"x-padding"] = b"a" * fault.huge_headers
        if fault.length and b"content-length" in headers:
            headers[b"content-length"] = str(int(headers[b"content-length"]) + fault.length).encode()
        await self._send({**head, "headers": list(headers.items())})
        return body

    def _due(self, body: bytes, more: bool) -> bool:
        return self._sent + len(body) > self._fault.after or not more or _ENDING.search(body) is not None

    async def _strike(self, body: bytes) -> bytes:
        """Do the deed; returns what is left of the body to send when the response goes on after it."""
        fault = self._fault
        if not self._streamed or "body" in (fault.reset, fault.close, fault.stall):
            return await self._strike_bytes(body)
        return await self._strike_events(body)

    async def _strike_bytes(self, body: bytes) -> bytes:
        """Stall or break off anywhere in the bytes; an answer of known length can only be broken off so."""
        fault = self._fault
        if fault.malformed == "sse" or fault.error_event:
            return body
        cut = min(max(fault.after - self._sent, 0), len(body) // 2)
        await self._write(body[:cut])
        await asyncio.sleep(_SETTLE)
        if fault.stall == "body":
            await stall(fault.seconds, self._receive)
            return body[cut:]
        connection = connection_of(self._scope)
        raise await ended(connection.reset if fault.reset == "body" else connection.close, self._receive)

    async def _strike_events(self, body: bytes) -> bytes:
        """Spoil a stream between two events."""
        fault = self._fault
        if fault.malformed == "sse":
            await self._write(b'data: {"id": "chatcmpl-broken", "choices": [{"delta"\n\n')
            return body
        if fault.error_event:
            error = {"message": fault.error_event, "type": "server_error", "param": None, "code": None}
            await self._write(b"data: " + orjson.dumps({"error": error}) + b"\n\n")
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        raise Struck

    async def _write(self, body: bytes) -> None:
        self._sent += len(body)
        if not self._fault.trickle:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            return
        for start in range(0, len(body), _TRICKLE):
            part = body[start : start + _TRICKLE]
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(len(part) / self._fault.trickle)

    async def _finish(self) -> None:
        if self._fault.length:
            await asyncio.sleep(_SETTLE)
            raise await ended(connection_of(self._scope).close, self._receive)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _strikes_within_body(fault: Fault) -> bool:
    within = "body" in (fault.reset, fault.close, fault.stall)
    return within or fault.truncate or bool(fault.error_event) or fault.malformed == "sse"
