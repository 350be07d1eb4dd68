"""Which header lines cross the proxy, in both directions.

Unknown headers pass. Hop-by-hop ones stay (RFC 9110, 7.6.1), with whatever `Connection` names; `Host` and lengths are
written anew; our own `x-understudy-*` are never forwarded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from proxy.transport.base import Headers
from store.reading import DECODERS

OWN_PREFIX: Final = b"x-understudy-"
TEXTUAL: Final = ("application/json", "text/", "application/x-ndjson")

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_REQUEST_DROPS: Final = _HOP_BY_HOP | {b"host", b"content-length", b"expect"}
_CREDENTIALS: Final = frozenset({b"authorization", b"x-api-key", b"api-key", b"cookie"})
_CODINGS: Final = frozenset({*DECODERS, "identity"})
"""Content codings that the shipper can read back; the upstream is offered no others on calls that are logged."""


def named_by_connection(headers: Headers) -> frozenset[bytes]:
    """Header names that a `Connection` header declares hop-by-hop."""
    named = [value for name, value in headers if name == b"connection"]
    if not named:
        return frozenset()
    return frozenset(token.strip().lower() for value in named for token in value.split(b","))


def for_upstream(headers: Headers, *, without: frozenset[bytes] = frozenset()) -> Headers:
    """The agent's headers as they go on, without hop-by-hop lines, our own and those in `without`."""
    drops = _REQUEST_DROPS | without | named_by_connection(headers)
    return [line for line in headers if line[0] not in drops and not line[0].startswith(OWN_PREFIX)]


def for_engine(headers: Headers, api_key: str | None) -> Headers:
    """The agent's headers for a local engine: its credentials stay here, the answer comes uncompressed."""
    lines = for_upstream(headers, without=_CREDENTIALS | {b"accept-encoding"})
    lines.append((b"accept-encoding", b"identity"))
    if api_key:
        lines.append((b"authorization", b"Bearer " + api_key.encode()))
    return lines


def without_credentials(headers: Headers) -> Headers:
    """Headers without any key the agent sent."""
    return [line for line in headers if line[0] not in _CREDENTIALS]


def with_key(headers: Headers, api_key: str) -> Headers:
    """Headers with the upstream's own key, in the form that its API takes."""
    lines = list(headers)
    key = api_key.encode()
    if any(name == b"anthropic-version" for name, _ in headers):
        lines.append((b"x-api-key", key))
    else:
        lines.append((b"authorization", b"Bearer " + key))
    return lines


def readable_encoding(headers: Headers, *, identity: bool) -> Headers:
    """Headers whose `accept-encoding` offers only codings that the log can read, or none at all."""
    if not any(name == b"accept-encoding" for name, _ in headers):
        return headers
    lines = [line for line in headers if line[0] != b"accept-encoding"]
    offered = b", ".join(value for name, value in headers if name == b"accept-encoding").decode("latin-1")
    kept = [] if identity else [item for item in offered.split(",") if _coding(item) in _CODINGS]
    lines.append((b"accept-encoding", ",".join(kept).strip().encode("latin-1") or b"identity"))
    return lines


def _coding(item: str) -> str:
    return item.partition(";")[0].strip().lower()


_OWN: Final = ("call-id", "route", "model", "task", "rule", "reason", "fallback", "overhead-ms", "config")
_PLAIN_CONNECTIONS: Final = (b"keep-alive", b"close", b"Keep-Alive")
"""Values of `Connection` that name no header."""

RESPONSE_DROPS: Final = _HOP_BY_HOP | {b"content-length"} | {OWN_PREFIX + name.encode() for name in _OWN}
"""What stays of a response: hop-by-hop lines, its length, and what another proxy of our kind says of the call."""


def for_agent(headers: Headers, fields: Mapping[bytes, bytes]) -> bytes:
    """The upstream's header lines as the agent gets them, each with its line end; the length is written anew.

    `fields` are the same headers as a mapping."""
    drops = RESPONSE_DROPS
    if fields.get(b"connection", b"close") not in _PLAIN_CONNECTIONS or _repeats(headers, fields):
        drops |= named_by_connection(headers)
    return b"".join([b"%b: %b\r\n" % line for line in headers if line[0] not in drops])


def _repeats(headers: Headers, fields: Mapping[bytes, bytes]) -> bool:
    """Whether a name comes twice, so that the mapping may hide a `Connection` line."""
    return len(fields) != len(headers)


def first(headers: Headers, name: bytes) -> str:
    """The first value of a header, empty when it is absent."""
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return ""


def is_textual(headers: Headers) -> bool:
    """Whether the content type is one whose body is worth keeping in the log."""
    return first(headers, b"content-type").startswith(TEXTUAL)


def readable(headers: Headers) -> dict[str, str]:
    """Headers as a mapping of text; of repeated names the first counts."""
    mapping: dict[str, str] = {}
    for name, value in headers:
        mapping.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return mapping


_UNSAFE: Final = re.compile(r"[^\x20-\x7e]")


def safe_value(text: str) -> bytes:
    """Text as a header value: ASCII, no control characters, at most 200 characters."""
    return _UNSAFE.sub("?", text[:200]).encode("ascii")
