"""The transport seam: one request out, one streamed response back.

    Transport.send(request) -> Response          (when the response head has arrived)
    Response.chunks() / read() / aclose()        (its body, as it arrives)

Everything the data path knows of HTTP clients is in this file. Implementations translate their library's errors into
the tree below; a test proves the map complete.

    TransportError
     ├── ConnectError          no connection was made (DNS, refused, TLS): nothing was sent
     ├── ConnectTimeout        no connection within the connect timeout: nothing was sent
     ├── SendError             the connection broke before a response head arrived
     ├── FirstByteTimeout      no response head in time
     ├── IdleTimeout           the body stalled
     ├── ReadError             the connection broke, or the framing was violated, in the body
     └── ProtocolError         what came back is not HTTP/1.1
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

Headers = list[tuple[bytes, bytes]]
"""Raw header lines in order, names lower-case, repeated names kept."""


class TransportError(Exception):
    """A request that brought no whole response back. `str()` names host and cause, never content or keys."""


class ConnectError(TransportError):
    """No connection was made: nothing was sent, a retry is always safe."""


class ConnectTimeout(ConnectError):
    """No connection within the connect timeout: nothing was sent."""


class SendError(TransportError):
    """The connection broke before a response head arrived; the server may have seen the request."""


class FirstByteTimeout(TransportError):
    """The request was sent and no response head came in time."""


class ReadError(TransportError):
    """The connection broke, or the framing was violated, after the response head."""


class IdleTimeout(ReadError):
    """The body stalled for longer than the idle timeout."""


class ProtocolError(TransportError):
    """What came back is not HTTP/1.1."""


class Timeouts(msgspec.Struct, frozen=True):
    """Limits in seconds; None waits for ever."""

    connect: float | None = 5.0
    first_byte: float | None = 600.0
    """From the request being sent until the response head."""
    idle: float | None = 300.0
    """Between two chunks of the body."""


class Request(msgspec.Struct, frozen=True):
    """What leaves. `headers` are complete but for `host`, `content-length`, `transfer-encoding` and `connection`,
    which the transport writes itself: content-length for bytes; for an iterator content-length when `length` is
    known, else chunked."""

    method: str
    url: str
    """Absolute http(s) URL, path already percent-encoded, query string included, passed on as it is."""
    headers: Headers
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None
    timeouts: Timeouts = Timeouts()


class Response(Protocol):
    """A response whose head has arrived. The body is not decoded: content-encoding and bytes agree."""

    status: int
    reason: bytes
    headers: Headers
    """As received, hop-by-hop ones included; the proxy filters."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body without its transfer coding, as it arrives; raises ReadError or IdleTimeout.

        Reading slowly slows the server down: no more than a bounded amount is buffered."""
        ...

    def whole(self) -> bytes | None:
        """The body, taken, when all of it is here already (it often comes with the head); None while it is not."""
        ...

    async def read(self) -> bytes:
        """The whole body; raises like chunks()."""
        ...

    async def aclose(self) -> None:
        """Give the connection back when the body was read to its end, else close it. May be called twice."""
        ...


class Transport(Protocol):
    """A pool of connections to any number of hosts, owned by one event loop."""

    async def send(self, request: Request) -> Response:
        """Send, and return when the response head has arrived (1xx heads are skipped). Cancelling it closes the
        connection. A pooled connection that turns out to be dead before any byte of the response is replaced by
        a fresh one, once, where the body can be sent again."""
        ...

    async def aclose(self) -> None:
        """Close every connection, idle or not."""
        ...
