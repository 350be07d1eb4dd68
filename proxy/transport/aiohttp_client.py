"""The transport on aiohttp: a well-kept library in place of our own connections."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Callable
from functools import partial
from types import SimpleNamespace

try:
    import aiohttp
    from aiohttp.http import HttpProcessingError
    from yarl import URL
except ImportError as error:
    raise ImportError("the aiohttp transport needs an extra: pip install 'understudy[aiohttp]'") from error

from proxy.transport.base import (
    ConnectError,
    ConnectTimeout,
    FirstByteTimeout,
    Headers,
    IdleTimeout,
    ProtocolError,
    ReadError,
    Request,
    Response,
    SendError,
    TransportError,
)
from proxy.transport.head import check_method
from proxy.transport.outgoing import measured
from proxy.transport.target import split_url

_MAX_LINE = 64 * 1024
_MAX_HEADERS = 256
_SPOOLED = 512 * 1024
"""Past this size aiohttp wants a file rather than bytes, so that it can write in pieces."""
_NOT_INVENTED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_FAULTS = (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError, ValueError)
"""All that aiohttp raises for what a network or a server can do, and ValueError for headers it will not send."""


class AiohttpTransport:
    """`base.Transport` on one aiohttp session, made at the first request.

    Arguments as for `lean.LeanTransport`; aiohttp has no limit on idle connections."""

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None, idle_seconds: float = 30.0) -> None:
        self._ssl_context = ssl_context
        self._idle_seconds = idle_seconds
        self._opened: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Response:
        """See `base.Transport.send`."""
        target, path = split_url(request.url)
        check_method(request.method, target)
        origin = f"{'https' if target.tls else 'http'}://{target.host_header.decode('ascii')}"
        url = URL(origin + path, encoded=True)
        while True:
            attempt = _Attempt(request)
            try:
                return await self._exchange(request, url, attempt)
            except _FAULTS as error:
                if attempt.body_error is not None:
                    raise attempt.body_error from None
                dropped = isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
                if dropped and attempt.reused and isinstance(request.body, bytes):
                    continue  # each round uses up one dead connection of the pool
                raise _before_head(error, request, str(target)) from error

    async def aclose(self) -> None:
        """See `base.Transport.aclose`."""
        if self._opened is not None:
            await self._opened.close()

    async def _exchange(self, request: Request, url: URL, attempt: _Attempt) -> Response:
        async with attempt.limit:
            response = await self._session().request(
                request.method,
                url,
                headers=attempt.headers,
                data=attempt.data,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=request.timeouts.connect),
                trace_request_ctx=attempt,
            )
            attempt.answered = True
        if response.status == 101:
            response.close()
            raise ProtocolError(f"{url.host}:{url.port}: the server switched protocols unasked")
        return AiohttpResponse(response, request.timeouts.idle)

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            trace = aiohttp.TraceConfig()
            trace.on_connection_reuseconn.append(_reused)
            trace.on_connection_create_end.append(_connected)
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,
                    ssl=self._ssl_context if self._ssl_context is not None else True,
                    keepalive_timeout=self._idle_seconds,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_NOT_INVENTED,
                auto_decompress=False,
                max_line_size=_MAX_LINE,
                max_field_size=_MAX_LINE,
                max_headers=_MAX_HEADERS,
                trace_configs=[trace],
            )
        return self._opened


class AiohttpResponse:
    """`base.Response` over aiohttp's."""

    def __init__(self, response: aiohttp.ClientResponse, idle: float | None) -> None:
        self.status = response.status
        self.reason = (response.reason or "").encode("utf-8", "surrogateescape")
        self.headers: Headers = [(name.lower(), value) for name, value in response.raw_headers]
        self._response = response
        self._idle = idle
        self._broken = False
        self._watch_connection()

    def _watch_connection(self) -> None:
        """Hear of the connection's end: aiohttp leaves a reader waiting when chunks are misframed (3.14), and takes
        a reset for the end of a body without a length."""
        connection = self._response.connection
        closed = (
            connection.protocol.closed if connection is not None and connection.protocol is not None else None
        )
        if closed is not None:
            closed.remove_done_callback(_retrieve)
            closed.add_done_callback(_retrieve)
            closed.add_done_callback(self._connection_ended)
            self._response.content.on_eof(partial(_unwatch, closed, self._connection_ended))

    def _connection_ended(self, closed: asyncio.Future[None]) -> None:
        self._broken = closed.cancelled() or closed.exception() is not None
        content = self._response.content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the connection ended"))

    async def chunks(self) -> AsyncIterator[bytes]:
        """See `base.Response.chunks`."""
        while data := await self._next():
            yield data

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(self._idle):
                data = await self._response.content.readany()
            if not data and self._broken:
                raise aiohttp.ClientPayloadError("the connection was reset")
        except _FAULTS as error:
            await self.aclose()
            raise _in_body(error, self._response, self._idle) from error
        except asyncio.CancelledError:
            await self.aclose()
            raise
        return data

    def whole(self) -> bytes | None:
        """See `base.Response.whole`: aiohttp does not say, so the body is read as it comes."""
        return None

    async def read(self) -> bytes:
        """See `base.Response.read`."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def aclose(self) -> None:
        """See `base.Response.aclose`."""
        self._response.close()


class _Attempt:
    """One try at a request: it in aiohttp's terms, its first-byte limit, and what became of it."""

    def __init__(self, request: Request) -> None:
        self.reused = False
        self.answered = False
        self.body_error: Exception | None = None
        self.limit = asyncio.timeout(None)
        self.headers = [(_text(name), _text(value)) for name, value in request.headers]
        self.data: bytes | io.BytesIO | AsyncIterator[bytes] | None
        self._first_byte = request.timeouts.first_byte
        body = request.body
        if isinstance(body, bytes):
            self.data = body if len(body) <= _SPOOLED else io.BytesIO(body)
            if not body and request.method not in ("POST", "PUT", "PATCH"):
                self.data = None
        else:
            self.data = self._watched(body if request.length is None else measured(body, request.length))
            if request.length is not None:
                self.headers.append(("content-length", str(request.length)))

    def run_limit(self, running: bool) -> None:
        """Start the server's time to answer over, or hold it; without effect once it has answered."""
        if self.answered or self._first_byte is None:
            return
        self.limit.reschedule(asyncio.get_running_loop().time() + self._first_byte if running else None)

    async def _watched(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same pieces; the limit stands still while the caller makes the next one."""
        try:
            self.run_limit(False)
            async for piece in body:
                self.run_limit(True)
                yield piece
                self.run_limit(False)
            self.run_limit(True)
        except Exception as error:
            self.body_error = error
            raise


async def _reused(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    context.trace_request_ctx.reused = True
    context.trace_request_ctx.run_limit(True)


async def _connected(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    context.trace_request_ctx.run_limit(True)


def _unwatch(closed: asyncio.Future[None], watcher: Callable[[asyncio.Future[None]], object]) -> None:
    closed.remove_done_callback(watcher)


def _retrieve(closed: asyncio.Future[None]) -> None:
    if not closed.cancelled():
        closed.exception()


def _text(raw: bytes) -> str:
    """aiohttp writes headers in UTF-8; bytes that are not UTF-8 are the one thing it cannot pass on."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _before_head(error: Exception, request: Request, target: str) -> TransportError:
    """What went wrong, in base's terms, while no response head had arrived."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return ConnectTimeout(f"{target}: no connection within {request.timeouts.connect} s")
        case aiohttp.ClientConnectorError() | aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return ConnectError(f"{target}: no connection: {error}")
        case aiohttp.ClientResponseError():
            return ProtocolError(f"{target}: not an HTTP/1.1 response: {type(error.__cause__).__name__}")
        case TimeoutError():
            return FirstByteTimeout(f"{target}: no response head within {request.timeouts.first_byte} s")
        case ValueError():
            return ConnectError(f"{target}: aiohttp will not send this request's headers")
        case _:
            cause = type(error).__name__
            return SendError(f"{target}: the connection ended before a response head: {cause}")


def _in_body(error: Exception, response: aiohttp.ClientResponse, idle: float | None) -> ReadError:
    """What went wrong, in base's terms, after the response head."""
    host = f"{response.url.host}:{response.url.port}"
    if isinstance(error, TimeoutError):
        return IdleTimeout(f"{host}: nothing more of the response body within {idle} s")
    return ReadError(f"{host}: the response body broke off: {type(error).__name__}")
