"""uvicorn, with the guards it leaves to others: header size, header time, and connections that are cut on purpose."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from wire.errors import envelope

MAX_HEADER_BYTES: Final = 64 * 1024
"""Bytes of request line and headers together; past it the answer is 431."""

HEADER_SECONDS: Final = 30.0
"""Within which a request's head must be complete once its first byte has come; past it the answer is 408."""


class GuardedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose request heads are bounded in bytes and in time."""

    _head_bytes = 0
    _in_head = False
    _head_timer: asyncio.TimerHandle | None = None
    _refused = False

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self._in_head:
            if self._head_bytes + len(data) > MAX_HEADER_BYTES:
                self._refuse(431, "The request headers are larger than 64 KiB.")
            elif self._head_timer is None:
                self._head_timer = self.loop.call_later(HEADER_SECONDS, self._head_too_slow)
        elif self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        self._in_head = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_bytes > MAX_HEADER_BYTES:
            self._refuse(431, "The request headers are larger than 64 KiB.")
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg)

    def _head_too_slow(self) -> None:
        self._refuse(408, f"The request headers were not complete within {HEADER_SECONDS:.0f} seconds.")

    def _refuse(self, status: int, message: str) -> None:
        """Answer outside of ASGI, in the OpenAI shape, and close."""
        self._refused = True
        if self.transport.is_closing():
            return
        body = envelope(message, type="invalid_request_error", code=f"http_{status}")
        head = (
            f"HTTP/1.1 {status} {_PHRASES[status]}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


_PHRASES: Final = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}


class _DeliberateCut(logging.Filter):
    """Drops uvicorn's complaint about answers that the data path cut off and has already logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "returned without" not in record.getMessage()


def server_for(app: Any, *, drain: float) -> uvicorn.Server:
    """A uvicorn server for the composed app; `drain` in seconds is how long open calls may take at shutdown."""
    logging.getLogger("uvicorn.error").addFilter(_DeliberateCut())
    config = uvicorn.Config(
        app,
        http=GuardedProtocol,
        ws="websockets-sansio",
        ws_max_size=2**27,
        ws_per_message_deflate=False,
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(drain)),
        backlog=2048,
    )
    return uvicorn.Server(config)
