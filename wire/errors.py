"""The one place where the proxy's own errors are written, in the shape that each client library understands."""

from __future__ import annotations

from typing import Final

import orjson

from wire.shape import Endpoint

_ANTHROPIC_TYPES: Final = {
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "timeout_error",
    "overloaded_error",
    "api_error",
}


def envelope(message: str, *, type: str, param: str | None = None, code: str | None = None) -> bytes:  # noqa: A002 - the wire's name
    """The OpenAI error body: `{"error": {"message", "type", "param", "code"}}`."""
    return orjson.dumps({"error": {"message": message, "type": type, "param": param, "code": code}})


def anthropic_envelope(message: str, *, type: str) -> bytes:  # noqa: A002 - the wire's name
    """The Anthropic error body for `/v1/messages`; a type that Anthropic does not know becomes `api_error`."""
    known = type if type in _ANTHROPIC_TYPES else "api_error"
    return orjson.dumps({"type": "error", "error": {"type": known, "message": message}})


def error_body(
    endpoint: Endpoint,
    message: str,
    *,
    type: str,  # noqa: A002 - the wire's name
    param: str | None = None,
    code: str | None = None,
) -> bytes:
    """The error body in the shape that clients of `endpoint` expect."""
    if endpoint == "messages":
        return anthropic_envelope(message, type=type)
    return envelope(message, type=type, param=param, code=code)


def sse_error(
    endpoint: Endpoint,
    message: str,
    *,
    type: str,  # noqa: A002 - the wire's name
    code: str | None = None,
) -> bytes:
    """An error as one SSE event, for a stream that has already started; it ends with a blank line.

    Chat and completions clients look for an `error` member in a data event, responses clients for an event of type
    `error` with flat members, messages clients for Anthropic's `error` event.
    """
    if endpoint == "responses":
        flat = {
            "type": "error",
            "code": code or type,
            "message": message,
            "param": None,
            "sequence_number": 0,
        }
        return b"event: error\ndata: " + orjson.dumps(flat) + b"\n\n"
    if endpoint == "messages":
        return b"event: error\ndata: " + anthropic_envelope(message, type=type) + b"\n\n"
    return b"data: " + envelope(message, type=type, code=code) + b"\n\n"
