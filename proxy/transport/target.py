"""Where a request goes: the origin part of its URL, taken apart once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from proxy.transport.base import ConnectError

_UNSAFE_IN_PATH = re.compile(r"[^\x21-\x7e]")


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One (scheme, host, port). Compared by identity, so that it is a cheap key: get it from `split_url`."""

    host: str
    """Name or address as the resolver wants it: IPv6 without brackets."""
    port: int
    tls: bool
    host_header: bytes
    """As the URL spells it, without the scheme's default port."""

    def __str__(self) -> str:
        """host:port, for error messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@lru_cache(maxsize=256)
def split_url(url: str) -> tuple[Target, str]:
    """The target of an absolute http(s) URL, and its path with the query string, untouched.

    Raises ConnectError when it cannot be sent; the message leaves out path and query, which may hold keys."""
    start = url.find("/", 8)
    if start < 0 or "?" in url[:start]:
        start = min((i for i in (start, url.find("?")) if i >= 0), default=len(url))
    target, path = parse_origin(url[:start]), url[start:]
    if _UNSAFE_IN_PATH.search(path):
        raise ConnectError(f"{target}: the URL's path holds a character that is not percent-encoded")
    return target, path if path.startswith("/") else "/" + path


@lru_cache(maxsize=1024)
def parse_origin(origin: str) -> Target:
    """The target of `scheme://host[:port]`; raises ConnectError naming what is wrong with it."""
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConnectError(f"the URL's host cannot be read: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConnectError(
            f"the URL's scheme is {parts.scheme!r} and its host {host!r}: want http(s)://host/…"
        )
    if "@" in parts.netloc or _UNSAFE_IN_PATH.search(parts.netloc):
        raise ConnectError(
            f"{host}: a URL must not hold user names, passwords or unencoded characters before its path"
        )
    tls = parts.scheme == "https"
    default = 443 if tls else 80
    name = f"[{host}]" if ":" in host else host
    header = name if port in (None, default) else f"{name}:{port}"
    return Target(host, port or default, tls, header.encode("ascii"))
