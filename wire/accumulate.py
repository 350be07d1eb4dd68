"""Rebuild the final answer of a stream: the body that the same call would have returned without streaming."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import orjson

from wire.chat_stream import ChatStream
from wire.completions_stream import CompletionsStream
from wire.messages_stream import MessagesStream
from wire.responses_stream import ResponsesStream
from wire.shape import Endpoint
from wire.sse import Event, events


class Accumulator(Protocol):
    """Takes the events of one stream, in order; garbage is counted, never raised."""

    done: bool
    """Whether the stream has said that it is complete."""
    error: dict[str, Any] | None
    """The error that the stream carried, in the provider's own shape."""
    has_content: bool
    """Whether output has begun: text, reasoning, a refusal or a tool call."""
    malformed: int
    """Events that were no JSON object, or pointed nowhere."""

    def feed(self, event: Event) -> None: ...

    def body(self) -> dict[str, Any] | None:
        """The answer so far, in the shape of a non-streamed response; None before the first chunk."""
        ...


_STREAMS: Final[Mapping[str, Callable[[], Accumulator]]] = {
    "chat.completions": ChatStream,
    "completions": CompletionsStream,
    "responses": ResponsesStream,
    "messages": MessagesStream,
}


def accumulator_for(endpoint: Endpoint) -> Accumulator:
    """A fresh accumulator for a stream of this endpoint; raises ValueError for `other`, which has no known form."""
    stream = _STREAMS.get(endpoint)
    if stream is None:
        raise ValueError(f"endpoint {endpoint!r} has no known stream; expected one of {', '.join(_STREAMS)}")
    return stream()


def final_body(endpoint: Endpoint, content_type: str, data: bytes) -> dict[str, Any] | None:
    """The final body of a recorded response, JSON or SSE; None when it is neither."""
    if "event-stream" in content_type.lower():
        return _streamed_body(endpoint, data)
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _streamed_body(endpoint: Endpoint, data: bytes) -> dict[str, Any] | None:
    if endpoint not in _STREAMS:
        return None
    accumulator = accumulator_for(endpoint)
    for event in events(data):
        accumulator.feed(event)
    return accumulator.body()
