"""What all streams share: garbage is counted, errors are kept, and nothing raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.accumulate import Accumulator, accumulator_for, final_body
from wire.shape import Endpoint
from wire.sse import Event

BRIEF = settings(max_examples=40, deadline=None)

ENDPOINTS = [name for name in get_args(Endpoint) if name != "other"]
NAMES = st.sampled_from(
    [
        "choices",
        "delta",
        "content",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "index",
        "id",
        "type",
        "usage",
        "message",
        "content_block",
        "partial_json",
        "text",
        "response",
        "item",
        "output_index",
        "content_index",
    ]
)
KINDS = st.sampled_from(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "message_delta",
        "text_delta",
        "error",
        "input_json_delta",
        "citations_delta",
        "response.created",
        "response.completed",
        "response.failed",
        "response.output_item.added",
        "response.output_text.delta",
        "response.function_call_arguments.delta",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(0, 1) | KINDS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)
OBJECTS = st.builds(
    lambda kind, rest: {**rest, "type": kind}, KINDS, st.dictionaries(NAMES, JSON, max_size=5)
)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@BRIEF
@given(chunks=st.lists(OBJECTS | JSON, max_size=6))
def test_any_json_is_survived(endpoint: Endpoint, chunks: list[Any]) -> None:
    accumulator = accumulator_for(endpoint)
    for chunk in chunks:
        accumulator.feed(Event("message", orjson.dumps(chunk)))
        orjson.dumps(accumulator.body())


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_garbage_is_counted(endpoint: Endpoint, feed: Callable[..., Accumulator]) -> None:
    accumulator = feed(
        endpoint, ["not json", "[1]", "null", "{", "\ud83d".encode("utf-8", "replace").decode(), "7"]
    )
    assert accumulator.malformed == 6
    assert accumulator.body() is None
    assert not accumulator.done


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_deep_nesting_is_survived(endpoint: Endpoint, feed: Callable[..., Accumulator]) -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    chunks = [
        '{"choices":[{"index":0,"delta":' + deep + "}]}",
        '{"type":"message_start","message":' + deep + "}",
    ]
    for chunk in [*chunks, '{"type":"response.created","response":' + deep + "}"]:
        feed(endpoint, [chunk, chunk]).body()


@pytest.mark.parametrize("endpoint", ["chat.completions", "completions"])
@pytest.mark.parametrize("error", [{"message": "overloaded", "code": 503}, "overloaded"])
def test_an_error_in_the_stream_is_kept(
    endpoint: Endpoint, error: Any, feed: Callable[..., Accumulator]
) -> None:
    accumulator = feed(endpoint, [{"id": "x", "choices": []}, {"error": error}])
    assert accumulator.error is not None
    assert accumulator.error["message"] == "overloaded"


def test_other_endpoints_have_no_stream() -> None:
    with pytest.raises(ValueError, match="'other'"):
        accumulator_for("other")


SSE = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize(
    ("endpoint", "content_type", "data", "text"),
    [
        ("chat.completions", "text/event-stream; charset=utf-8", SSE, "hi"),
        ("chat.completions", "Text/Event-Stream", SSE.replace(b"\n", b"\r\n"), "hi"),
        ("chat.completions", "application/json", b'{"choices":[{"message":{"content":"hi"}}]}', "hi"),
        ("chat.completions", "text/event-stream", b"", None),
        ("chat.completions", "application/json", b"[]", None),
        ("chat.completions", "application/json", b"{", None),
        ("other", "text/event-stream", SSE, None),
    ],
)
def test_final_body(endpoint: Endpoint, content_type: str, data: bytes, text: str | None) -> None:
    body = final_body(endpoint, content_type, data)
    assert (body and body["choices"][0]["message"]["content"]) == text
