"""One connection to a server: a request goes out, a response comes in, then the next."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Literal, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from proxy.transport.alarm import Alarm
from proxy.transport.base import (
    FirstByteTimeout,
    Headers,
    IdleTimeout,
    ProtocolError,
    ReadError,
    Request,
    SendError,
    Timeouts,
)
from proxy.transport.head import ends_with_connection
from proxy.transport.incoming import MAX_BUFFERED, IncomingResponse
from proxy.transport.outgoing import send_body
from proxy.transport.target import Target

MAX_HEAD = 64 * 1024
"""Bytes of response head, 1xx heads and trailers included; the parser itself has no limit."""
_JOINED = 32 * 1024
"""Up to this size, copying a body behind its head is cheaper than a second buffer."""


class StaleConnection(SendError):
    """A pooled connection was dead before any byte of the response: the request may be sent again."""


Phase = Literal["parked", "head", "body", "done", "closed"]
"""What a connection waits for: a request, a response head, more of a body, the end of a packet, nothing."""


class Connection(asyncio.Protocol):
    """A keep-alive connection; `exchange` is one request and the head of its response.

    `on_ready` is called when it can take another request, `on_closed` when it is gone, each with the connection."""

    def __init__(
        self,
        target: Target,
        *,
        on_ready: Callable[[Connection], None],
        on_closed: Callable[[Connection], None],
    ) -> None:
        self.target = target
        self._on_ready = on_ready
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._loop, self._ring)
        self._phase: Phase = "parked"
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._paused = False
        self._writable: asyncio.Future[None] | None = None
        self._sender: asyncio.Task[None] | None = None
        self._reused = False
        self._timeouts = Timeouts()
        self._without_body = False
        self._waiter: asyncio.Future[IncomingResponse] | None = None
        self._response: IncomingResponse
        self._reason = b""
        self._headers: Headers = []
        self._received = 0
        self._keep_alive = False

    # The pool's side

    @property
    def is_parked(self) -> bool:
        """Whether it can take a request."""
        return self._phase == "parked" and not self._transport.is_closing()

    def park(self, seconds: float) -> None:
        """Stay open without a request for at most `seconds`."""
        self._reused = True
        self._alarm.set(seconds)

    def shut_down(self) -> None:
        """Close, and tell whoever waits."""
        self._lost(ConnectionAbortedError("this transport was closed"))

    def close(self) -> None:
        """Close now; whoever still waits has to be told before."""
        if self._phase == "closed":
            return
        self._phase = "closed"
        self._alarm.cancel()
        if self._sender is not None:
            self._sender.cancel()
        self._transport.abort()

    # One exchange

    async def exchange(self, request: Request, head: bytes) -> IncomingResponse:
        """Send, and wait for the response's head; raises base's errors, or what the request's own body raised.

        StaleConnection means that nothing came back on a connection that had been used before."""
        self._timeouts = request.timeouts
        self._without_body = request.method == "HEAD"
        self._phase = "head"
        self._received = 0
        waiter: asyncio.Future[IncomingResponse] = self._loop.create_future()
        self._waiter = waiter
        self._send(request, head)
        try:
            return await waiter
        except BaseException:
            if self._waiter is waiter:
                self.close()
            raise

    def _send(self, request: Request, head: bytes) -> None:
        body = request.body
        if not isinstance(body, bytes):
            self._transport.write(head)
            self._sender = self._loop.create_task(send_body(self, body, request.length))
            self._sender.add_done_callback(self._body_sent)
            return
        if len(body) <= _JOINED:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        self._alarm.set(request.timeouts.first_byte)

    async def push(self, *parts: bytes) -> None:
        """See `outgoing.Sink`; a server that stops reading runs into the first-byte timeout."""
        self._transport.writelines(parts)
        if self._writable is not None:
            self._watch_head(self._timeouts.first_byte)
            await self._writable
            self._watch_head(None)

    def _body_sent(self, sender: asyncio.Task[None]) -> None:
        self._sender = None
        error = (
            SendError(f"{self.target}: the request body was cancelled")
            if sender.cancelled()
            else sender.exception()
        )
        if self._phase == "closed":
            return
        if error is None:
            self._watch_head(self._timeouts.first_byte)
        else:
            self._fail(error)

    def _watch_head(self, seconds: float | None) -> None:
        if self._phase == "head":
            self._alarm.set(seconds)

    # The response's side

    def await_more(self, seconds: float | None) -> None:
        """See `incoming.Source`."""
        self._alarm.set(seconds)

    def resume(self) -> None:
        """See `incoming.Source`."""
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def abandon(self) -> None:
        """See `incoming.Source`."""
        self.close()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and probe it while it is silent."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's do not inherit from it
        # A model may think for minutes: without probes a middlebox forgets the connection, and nobody is told.
        connected = transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)

    def data_received(self, data: bytes) -> None:
        """Parse, then tell whoever waits, once for all that arrived together."""
        if self._phase == "parked":
            self.close()
        if self._phase == "closed":
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._violated(str(error.__context__ or error))
            return
        if self._received > MAX_HEAD and self._phase != "done":
            self._violated(f"more than {MAX_HEAD} bytes of headers")
        elif self._phase != "head":
            self._deliver()

    def eof_received(self) -> None:
        """The server will send no more."""
        self._lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._lost(exc)
        self._on_closed(self)

    def pause_writing(self) -> None:
        """The server reads more slowly than we write."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """The server caught up."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # The parser's side

    def on_message_begin(self) -> None:
        """A head begins; after a complete response it is one that nobody asked for."""
        if self._phase != "head":
            self._keep_alive = False
        self._reason = b""
        self._headers = []

    def on_status(self, reason: bytes) -> None:
        """The reason phrase, perhaps in pieces."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line, whole. Trailers come here too, into a list that nobody reads."""
        self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """A final head makes the response; a 1xx head is skipped."""
        if self._phase != "head":
            return
        if self._received > MAX_HEAD and sum(len(n) + len(v) for n, v in self._headers) > MAX_HEAD:
            raise HttpParserError(f"more than {MAX_HEAD} bytes of headers")
        status = self._parser.get_status_code()
        if status < 200:
            if status == 101:
                raise HttpParserError("the server switched protocols unasked")
            return
        self._response = IncomingResponse(
            status,
            self._reason,
            self._headers,
            source=self,
            idle=self._timeouts.idle,
            loop=self._loop,
        )
        self._headers = []
        self._phase = "body"
        if self._without_body:
            self._complete()

    def on_body(self, data: bytes) -> None:
        """A piece of body, its transfer coding removed."""
        if self._phase == "body":
            self._received = 0
            self._response.feed(data)
        else:
            self._keep_alive = False

    def on_message_complete(self) -> None:
        """The body ended, or a 1xx head did."""
        if self._phase == "body":
            self._complete()

    # How it ends

    def _complete(self) -> None:
        self._phase = "done"
        self._keep_alive = self._parser.should_keep_alive()

    def _deliver(self) -> None:
        response, waiter = self._response, self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(response)
        if self._phase == "done":
            self._finish()
            return
        self._alarm.set(None)
        response.wake()
        if response.buffered > MAX_BUFFERED and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _finish(self) -> None:
        self._waiter = None
        self._response.finish()
        sending = self._sender is not None or self._transport.get_write_buffer_size() > 0
        if sending or not self._keep_alive or self._transport.is_closing():
            self.close()
            return
        if self._without_body:
            self._parser = HttpResponseParser(self)
        self._phase = "parked"
        if self._paused:
            self.resume()
        self._on_ready(self)

    def _violated(self, reason: str) -> None:
        if self._phase == "done":
            self._keep_alive = False
            self._deliver()
        elif self._phase == "head":
            self._fail(ProtocolError(f"{self.target}: not an HTTP/1.1 response: {reason}"))
        else:
            self._fail(ReadError(f"{self.target}: broken framing in the response body: {reason}"))

    def _lost(self, cause: Exception | None) -> None:
        if self._phase == "body" and cause is None and ends_with_connection(self._response.headers):
            self._phase = "done"
            self._keep_alive = False
            self._deliver()
        elif self._phase == "body":
            self._fail(
                ReadError(
                    f"{self.target}: the connection ended within the response body: {cause or 'closed'}"
                )
            )
        elif self._phase == "head":
            kind = StaleConnection if self._reused and not self._received else SendError
            self._fail(
                kind(f"{self.target}: the connection ended before a response head: {cause or 'closed'}")
            )
        else:
            self.close()

    def _ring(self) -> None:
        if self._phase == "head":
            limit = self._timeouts.first_byte
            self._fail(FirstByteTimeout(f"{self.target}: no response head within {limit} s"))
        elif self._phase == "body":
            limit = self._timeouts.idle
            self._fail(IdleTimeout(f"{self.target}: nothing more of the response body within {limit} s"))
        else:
            self.close()

    def _fail(self, error: BaseException) -> None:
        waiter = self._waiter
        if self._phase == "body":
            if waiter is not None and not waiter.done():
                waiter.set_result(self._response)
            broken = (
                error if isinstance(error, ReadError) else ReadError(f"{self.target}: {type(error).__name__}")
            )
            self._response.fail(broken)
        elif waiter is not None and not waiter.done():
            waiter.set_exception(error)
        self.close()
