"""What the simulator saw: counts of requests by how they ended, so that tests can ask the other side."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict, dataclass

import orjson

from serving.endpoints.asgi import ASGIApp, Message, Receive, Scope, Send

PATH = "/simulator/activity"


@dataclass(slots=True)
class Counts:
    """Requests by how they ended."""

    active: int = 0
    started: int = 0
    finished: int = 0
    broken_off: int = 0
    """Ended before the whole response was sent: the client left, or a fault struck."""


@dataclass(slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    status: int = 0
    finished: bool = False


class Recorder:
    """Wraps an app and keeps counts, served as JSON at `/simulator/activity`, and the last `keep` requests."""

    def __init__(self, app: ASGIApp, *, keep: int = 0) -> None:
        self._app = app
        self._keep = keep
        self._lock = threading.Lock()
        self.counts = Counts()
        self.seen: deque[Seen] = deque(maxlen=keep)
        """The last requests, bodies included: for tests in the same process."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == PATH:
            await _answer(send, orjson.dumps(asdict(self.counts)))
        else:
            await self._watch(scope, receive, send)

    async def _watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = Seen(scope["method"], scope["path"], scope["query_string"], list(scope["headers"]))
        gone = False

        async def hear() -> Message:
            nonlocal gone
            message = await receive()
            if message["type"] == "http.disconnect":
                gone = not seen.finished
            elif self._keep:
                seen.body += message.get("body", b"")
            return message

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
            elif not message.get("more_body") and not gone:
                seen.finished = True
            await send(message)

        with self._lock:
            self.seen.append(seen)
            self.counts.started += 1
            self.counts.active += 1
        try:
            await self._app(scope, hear, say)
        finally:
            with self._lock:
                self.counts.active -= 1
                self.counts.finished += seen.finished
                self.counts.broken_off += not seen.finished


async def _answer(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
