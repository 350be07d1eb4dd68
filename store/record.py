"""The record: everything the proxy knows of one finished call, as the journal keeps it.

The proxy writes bytes as they passed; what they mean (messages, usage, cost) is worked out by the shipper, away from
the request path. Fields may be added at the end with a default; none is ever removed or moved, because journals
written by the previous version are read by the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

Endpoint = Literal["chat.completions", "completions", "responses", "messages", "other"]
Route = Literal["upstream", "slm"]

CLIENT_LEFT: Final = 499
"""Status of a call whose client left before its answer was complete (the convention of nginx)."""


class Attempt(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One try at one target: a retry or a fallback leaves several in one record."""

    route: Route
    target: str
    """Name of the upstream or of the engine, as configured."""
    status: int
    """HTTP status received; 0 when none arrived."""
    cause: str
    """Empty when the attempt answered the agent, else why it did not: `connect`, `timeout`, `status`, `schema`, …"""
    duration_us: int


class Record(msgspec.Struct, array_like=True, frozen=True, kw_only=True, gc=False):
    """One call, however it ended. Times are integers in microseconds; bodies are the bytes as they passed."""

    id: bytes
    """16 bytes, UUIDv7: time-ordered and unique, the key of idempotent shipping."""
    started_us: int
    """Unix time at which the request line had arrived."""
    duration_us: int
    first_byte_us: int
    """From start to the first response byte handed to the agent; -1 when none was."""
    overhead_us: int
    """The part of duration that was ours: everything before the request left and after the answer arrived."""
    endpoint: Endpoint
    method: str
    path: str
    """Path and query string below the server root, such as `/v1/chat/completions`."""
    status: int
    """What the agent saw; CLIENT_LEFT when it left first."""
    stream: bool
    route: Route
    """`slm` only when the bytes the agent received came from an understudy."""
    target: str
    """Name of the upstream or engine that answered; empty when none did."""
    requested_model: str
    served_model: str
    understudy: str
    """The understudy that answered; empty when the upstream did."""
    task: str
    rule: str
    reason: str
    confidence: float | None
    """What the understudy that was asked said of its answer; None when none was, or it said nothing."""
    fallback: str
    """Why an understudy was tried and did not answer; empty when none was tried or it answered."""
    key: str
    """Id of the proxy key, empty in passthrough mode."""
    session: str
    """Value of `x-understudy-session`; empty when the agent named none (the shipper then infers one)."""
    config: str
    """Version hash of the configuration that decided."""
    upstream_request_id: str
    request_type: str
    """`content-type` of the request."""
    response_type: str
    response_encoding: str
    """`content-encoding` of the recorded response bytes; empty when they are plain."""
    request: bytes | None
    """The body as the agent sent it; None when content is not to be stored."""
    response: bytes | None
    """The body as the agent received it (SSE bytes for a stream; what was sent so far when it was cut short)."""
    request_size: int
    response_size: int
    """Sizes in bytes before any truncation."""
    attempts: tuple[Attempt, ...]
    usage_response: bytes = b""
    """SSE bytes of the usage chunk that was asked for by the proxy and spliced out of the agent's stream."""
    user_agent: str = ""

    @property
    def truncated(self) -> bool:
        """Whether the capture limit cut a body: its bytes here are a prefix."""
        return (self.request is not None and len(self.request) < self.request_size) or (
            self.response is not None and len(self.response) < self.response_size
        )


_decoder = msgspec.msgpack.Decoder(Record)

encode: Final[Callable[[Record], bytes]] = msgspec.msgpack.Encoder().encode
"""Serialises a record (msgpack array)."""


def decode(data: bytes) -> Record:
    """Rebuild a record; raises msgspec.DecodeError when the bytes are not one."""
    return _decoder.decode(data)
