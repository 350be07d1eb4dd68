"""One answer, told by each endpoint in its own way, reads the same."""

from __future__ import annotations

from typing import Any

import pytest

from wire.answer import Answer, ToolCall, answer_of
from wire.shape import Endpoint


@pytest.mark.parametrize(
    ("endpoint", "body", "answer"),
    [
        (
            "chat.completions",
            {"choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]},
            Answer("hi", finish_reason="stop"),
        ),
        (
            "chat.completions",
            {"choices": [{"message": {"content": None, "refusal": "no"}, "finish_reason": "stop"}]},
            Answer(finish_reason="stop", refusal="no"),
        ),
        (
            "chat.completions",
            {
                "choices": [
                    {
                        "message": {
                            "tool_calls": [
                                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                                {"id": "2", "type": "custom", "custom": {"name": "g", "input": "free"}},
                            ]
                        },
                        "finish_reason": "tool_calls",
                    }
                ]
            },
            Answer("", (ToolCall("f", "{}"), ToolCall("g", "free")), "tool_calls"),
        ),
        (
            "chat.completions",
            {"choices": [{"message": {"function_call": {"name": "f", "arguments": "1"}}}]},
            Answer("", (ToolCall("f", "1"),)),
        ),
        (
            "completions",
            {"choices": [{"text": "hi", "finish_reason": "length"}]},
            Answer("hi", finish_reason="length"),
        ),
        (
            "responses",
            {
                "status": "completed",
                "output": [
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hidden"}]},
                    {"type": "message", "content": [{"type": "output_text", "text": "hi"}]},
                    {"type": "function_call", "name": "f", "arguments": "{}"},
                    {"type": "custom_tool_call", "name": "g", "input": "free"},
                ],
            },
            Answer("hi", (ToolCall("f", "{}"), ToolCall("g", "free")), "tool_calls"),
        ),
        (
            "responses",
            {
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
                "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}],
            },
            Answer(finish_reason="length", refusal="no"),
        ),
        (
            "messages",
            {
                "content": [
                    {"type": "thinking", "thinking": "hidden"},
                    {"type": "text", "text": "hi"},
                    {"type": "tool_use", "name": "f", "input": {"a": 1}},
                ],
                "stop_reason": "tool_use",
            },
            Answer("hi", (ToolCall("f", '{"a":1}'),), "tool_calls"),
        ),
        ("messages", {"content": [], "stop_reason": "max_tokens"}, Answer(finish_reason="length")),
        ("chat.completions", {"choices": "none"}, Answer()),
    ],
)
def test_answer_of(endpoint: Endpoint, body: dict[str, Any], answer: Answer) -> None:
    assert answer_of(endpoint, body) == answer
