"""The head of a request as bytes, and how the end of a response's body is found."""

from __future__ import annotations

import re
from functools import lru_cache

from proxy.transport.base import ConnectError, Headers, Request
from proxy.transport.target import Target

_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))


def encode_head(request: Request, target: Target, path: str) -> bytes:
    """Request line, host, the request's own headers, and the body's framing.

    Raises ConnectError when a header would break the framing: nothing was sent."""
    return (
        _request_line(request.method, target, path)
        + _lines(target, tuple(request.headers))
        + _framing(request)
    )


# An agent sends one call after the other with the same headers to the same place: both parts are made once.


@lru_cache(maxsize=256)
def _request_line(method: str, target: Target, path: str) -> bytes:
    check_method(method, target)
    return f"{method} {path} HTTP/1.1\r\nhost: ".encode("ascii") + target.host_header + b"\r\n"


@lru_cache(maxsize=256)
def _lines(target: Target, headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    lines = b"".join([b"%b: %b\r\n" % line for line in headers])
    if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers):
        raise ConnectError(f"{target}: a line break in the request's headers")
    return lines


def check_method(method: str, target: Target) -> None:
    """Raises ConnectError when it is not a token: it could end the request line early."""
    if method not in _METHODS and not _TOKEN.fullmatch(method):
        raise ConnectError(f"{target}: {method!r} is no HTTP method")


def _framing(request: Request) -> bytes:
    body = request.body
    if isinstance(body, bytes):
        if body or request.method in _WITH_BODY:
            return b"content-length: %d\r\n\r\n" % len(body)
        return b"\r\n"
    if request.length is None:
        return b"transfer-encoding: chunked\r\n\r\n"
    return b"content-length: %d\r\n\r\n" % request.length


def ends_with_connection(headers: Headers) -> bool:
    """Whether a response body runs until the server closes: neither a length nor chunks frame it."""
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    if codings:
        return not codings[-1].lower().endswith(b"chunked")
    return not any(name == b"content-length" for name, _ in headers)
