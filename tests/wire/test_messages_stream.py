"""Anthropic's events give back the message that they describe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from wire.accumulate import Accumulator

Feed = Callable[..., Accumulator]

START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 9, "cache_read_input_tokens": 4, "output_tokens": 1},
    },
}


def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


STREAM = [
    START,
    {"type": "ping"},
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "so "},
        {"type": "thinking_delta", "thinking": "then"},
        {"type": "signature_delta", "signature": "c2ln"},
    ),
    *block(
        1,
        {"type": "text", "text": ""},
        {"type": "text_delta", "text": "Hel"},
        {"type": "text_delta", "text": "lo"},
        {"type": "citations_delta", "citation": {"cited_text": "x"}},
    ),
    *block(
        2,
        {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"a": '},
        {"type": "input_json_delta", "partial_json": "[1]}"},
    ),
    *block(3, {"type": "tool_use", "id": "t2", "name": "g", "input": {}}),
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 20, "input_tokens": None},
    },
    {"type": "message_stop"},
]


def test_a_whole_stream(feed: Feed) -> None:
    accumulator = feed("messages", STREAM)
    assert accumulator.body() == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "so then", "signature": "c2ln"},
            {"type": "text", "text": "Hello", "citations": [{"cited_text": "x"}]},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1]}},
            {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "cache_read_input_tokens": 4, "output_tokens": 20},
    }
    assert accumulator.done
    assert accumulator.malformed == 0


def test_tool_input_that_was_cut_stays_text(feed: Feed) -> None:
    cut = next(at for at, event in enumerate(STREAM) if "[1]}" in str(event))
    body = feed("messages", STREAM[:cut]).body()
    assert body is not None
    assert body["content"][2]["input"] == '{"a": '


def test_an_error_event_is_kept(feed: Feed) -> None:
    error = {"type": "overloaded_error", "message": "busy"}
    accumulator = feed("messages", [START, {"type": "error", "error": error}])
    assert accumulator.error == error
    assert not accumulator.done


@pytest.mark.parametrize(("length", "begun"), [(1, False), (3, False), (4, True)])
def test_output_begins_with_the_first_token(length: int, begun: bool, feed: Feed) -> None:
    assert feed("messages", STREAM[:length]).has_content is begun
