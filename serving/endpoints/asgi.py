"""The ASGI contract in types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Scope, name: str) -> str:
    """The first header of a (lower-case) name; empty when there is none."""
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == wanted), "")


async def read_body(receive: Receive) -> bytes:
    """The whole request body; what had arrived when the client left."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return b"".join(parts)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A receive that gives a body again that was read already."""
    pending = [body]

    async def again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return again


async def gone(receive: Receive) -> None:
    """Returns when the client has left."""
    while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
        pass
