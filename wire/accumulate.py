"""Rebuild the final answer of a stream: the body that the same call would have returned without streaming."""

from __future__ import annotations

from typing import Any, Protocol

from wire.shape import Endpoint
from wire.sse import Event


class Accumulator(Protocol):
    """Takes the events of one stream, in order; garbage is counted, never raised."""

    done: bool
    """Whether the stream has said that it is complete."""
    error: dict[str, Any] | None
    """The error that the stream carried, in the provider's own shape."""
    has_content: bool
    """Whether output has begun: text, reasoning, a refusal or a tool call."""
    malformed: int
    """Events that were no JSON object."""

    def feed(self, event: Event) -> None: ...

    def body(self) -> dict[str, Any] | None:
        """The answer so far, in the shape of a non-streamed response; None before the first chunk."""
        ...


def accumulator_for(endpoint: Endpoint) -> Accumulator:
    """A fresh accumulator for a stream of this endpoint; raises ValueError for `other`."""
    raise NotImplementedError


def final_body(endpoint: Endpoint, content_type: str, data: bytes) -> dict[str, Any] | None:
    """The final body of a recorded response, JSON or SSE; None when it is neither."""
    raise NotImplementedError
