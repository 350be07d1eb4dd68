"""A server of small models that says what a test wants."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.proxy.transport.peer import Peer, ScriptedServer, scripted


def completion(content: str, *lines: str) -> bytes:
    """A chat completion as an engine answers it, with header lines of its own."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    body = json.dumps({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()
    head = ["HTTP/1.1 200 OK", "content-type: application/json", f"content-length: {len(body)}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


@asynccontextmanager
async def engine(content: str, *lines: str, port: int = 0) -> AsyncIterator[ScriptedServer]:
    """A server that gives the same answer to every call."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(completion(content, *lines))

    async with scripted(script, port=port) as running:
        yield running
