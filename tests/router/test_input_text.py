"""The text that an encoder reads, on every endpoint."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.input_text import LENGTH, input_text
from wire.shape import Endpoint

USER = {"role": "user", "content": "cancel my order"}
SYSTEM = {"role": "system", "content": "You classify tickets."}


@pytest.mark.parametrize(
    ("endpoint", "body", "expected"),
    [
        ("chat.completions", {"messages": [SYSTEM, USER]}, "cancel my order"),
        ("chat.completions", {"messages": [SYSTEM]}, "You classify tickets."),
        (
            "chat.completions",
            {"messages": [USER, {"role": "assistant", "content": "Which?"}]},
            "cancel my order",
        ),
        ("chat.completions", {"messages": [{"role": "assistant", "content": "Which?"}]}, "Which?"),
        (
            "chat.completions",
            {
                "messages": [
                    USER,
                    {"role": "tool", "content": "not found"},
                    {"role": "tool", "content": "closed"},
                ]
            },
            "not found\nclosed",
        ),
        ("chat.completions", {"messages": [{"role": "tool", "content": "closed"}, USER]}, "cancel my order"),
        (
            "chat.completions",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                    }
                ]
            },
            "a\nb",
        ),
        ("completions", {"prompt": "Once upon"}, "Once upon"),
        ("completions", {"prompt": ["one", "two"]}, "two"),
        ("responses", {"instructions": "Classify.", "input": "cancel"}, "cancel"),
        (
            "responses",
            {
                "input": [
                    {"role": "user", "content": "hi"},
                    {"type": "function_call_output", "output": "closed"},
                ]
            },
            "closed",
        ),
        (
            "messages",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "content": [{"type": "text", "text": "closed"}]}],
                    }
                ]
            },
            "closed",
        ),
        (
            "messages",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "tool_result", "content": "closed"},
                            {"type": "text", "text": "so reopen it"},
                        ],
                    }
                ]
            },
            "closed\nso reopen it",
        ),
        ("chat.completions", {}, ""),
        ("chat.completions", {"messages": "no list"}, "no list"),
    ],
)
def test_the_text_that_came_last(endpoint: Endpoint, body: dict[str, Any], expected: str) -> None:
    assert input_text(endpoint, body) == expected


def test_a_long_text_keeps_its_ends() -> None:
    body = {"messages": [{"role": "user", "content": "start" + "x" * 100_000 + "end"}]}

    found = input_text("chat.completions", body)

    assert len(found) <= LENGTH + 1
    assert found.startswith("start")
    assert found.endswith("end")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "output", "text", "messages"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(["chat.completions", "completions", "responses", "messages", "other"]),
    st.dictionaries(
        st.sampled_from(["messages", "input", "prompt", "instructions", "system"]), JSON, max_size=3
    ),
)
def test_any_json_gives_some_text(endpoint: Endpoint, body: dict[str, Any]) -> None:
    assert isinstance(input_text(endpoint, body), str)
