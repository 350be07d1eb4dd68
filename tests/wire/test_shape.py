"""What the readers make of requests: those of real clients, and those of nobody in their right mind."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire import shape
from wire.answer import answer_of
from wire.shape import Endpoint

BRIEF = settings(max_examples=30, deadline=None)

CHAT: dict[str, Any] = {
    "model": "m",
    "stream": True,
    "messages": [
        {"role": "system", "content": "You sort."},
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {
            "role": "user",
            "content": [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {}}],
        },
        {"role": "assistant", "tool_calls": []},
        {"role": "tool", "tool_call_id": "c", "content": "result"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "find"}},
        {"type": "custom", "custom": {"name": "run"}},
    ],
    "functions": [{"name": "old"}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
}
RESPONSES: dict[str, Any] = {
    "instructions": "You sort.",
    "input": [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "one"}, {"type": "input_file", "file_id": "f"}],
        },
        {"type": "function_call", "call_id": "c", "name": "find", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": [{"type": "input_image", "image_url": "u"}],
        },
    ],
    "tools": [{"type": "function", "name": "find"}, {"type": "web_search"}],
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}},
}
MESSAGES: dict[str, Any] = {
    "system": [{"type": "text", "text": "You sort."}, {"type": "text", "text": "Be brief."}],
    "messages": [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "find", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "image", "source": {}}]}]},
    ],
    "tools": [{"name": "find", "input_schema": {}}],
    "output_config": {"format": {"type": "json_schema", "schema": {}}},
}


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/chat/completions", "chat.completions"),
        ("/v1/chat/completions/?api-version=1", "chat.completions"),
        ("/v1/completions?x=y", "completions"),
        ("/v1/responses", "responses"),
        ("/v1/messages", "messages"),
        ("/v1/responses/resp_1", "other"),
        ("/v1/messages/count_tokens", "other"),
        ("/v1/models", "other"),
        ("/chat/completions", "other"),
        ("", "other"),
    ],
)
def test_endpoint_of(path: str, endpoint: Endpoint) -> None:
    assert shape.endpoint_of(path) == endpoint


@pytest.mark.parametrize(
    ("endpoint", "body", "tools"),
    [
        ("chat.completions", CHAT, ("find", "run", "old")),
        ("responses", RESPONSES, ("find", "web_search")),
        ("messages", MESSAGES, ("find",)),
    ],
)
def test_a_conversation_reads_the_same_on_every_endpoint(
    endpoint: Endpoint, body: dict[str, Any], tools: tuple[str, ...]
) -> None:
    assert shape.system_text(endpoint, body) == "You sort.\nBe brief."
    assert shape.last_user_text(endpoint, body) == "one"
    assert shape.last_role(endpoint, body) == "tool"
    assert shape.tool_names(endpoint, body) == tools
    assert shape.response_format_kind(endpoint, body) == "json_schema"
    assert shape.expects_structure(endpoint, body)
    assert shape.has_images(endpoint, body)
    assert not shape.has_audio(endpoint, body)
    assert shape.has_files(endpoint, body) is (endpoint == "responses")


@pytest.mark.parametrize(
    ("endpoint", "body", "role", "said"),
    [
        ("completions", {"prompt": "go"}, "user", "go"),
        ("completions", {"prompt": ["a", "b"]}, "user", "b"),
        ("completions", {"prompt": [1, 2, 3]}, "", ""),
        ("responses", {"input": "go"}, "user", "go"),
        ("chat.completions", {"messages": [{"role": "user", "content": "go"}]}, "user", "go"),
        ("chat.completions", {"messages": [{"role": "function", "content": "x"}]}, "tool", ""),
        ("chat.completions", {"messages": []}, "", ""),
        ("chat.completions", {}, "", ""),
    ],
)
def test_last_turn(endpoint: Endpoint, body: dict[str, Any], role: str, said: str) -> None:
    assert shape.last_role(endpoint, body) == role
    assert shape.last_user_text(endpoint, body) == said


@pytest.mark.parametrize(
    ("endpoint", "body", "kind"),
    [
        ("chat.completions", {"response_format": {"type": "json_object"}}, "json_object"),
        ("chat.completions", {"response_format": {"type": "text"}}, "text"),
        ("chat.completions", {"response_format": "json"}, "text"),
        ("responses", {"text": {"format": {"type": "json_object"}}}, "json_object"),
        ("responses", {"response_format": {"type": "json_object"}}, "text"),
        ("messages", {"output_format": {"type": "json_schema"}}, "json_schema"),
    ],
)
def test_response_format_kind(endpoint: Endpoint, body: dict[str, Any], kind: str) -> None:
    assert shape.response_format_kind(endpoint, body) == kind


@pytest.mark.parametrize(
    ("body", "heard"),
    [
        ({"modalities": ["text", "audio"]}, True),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, True),
        ({"modalities": "audio"}, False),
        ({}, False),
    ],
)
def test_has_audio(body: dict[str, Any], heard: bool) -> None:
    assert shape.has_audio("chat.completions", body) is heard


@pytest.mark.parametrize(
    ("stream", "streams"), [(True, True), (False, False), ("true", False), (1, False), (None, False)]
)
def test_is_stream(stream: object, streams: bool) -> None:
    assert shape.is_stream({"stream": stream}) is streams


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "name", "function", "output"]), inner
        )
    ),
    max_leaves=10,
)
MEMBERS = [
    "messages",
    "input",
    "prompt",
    "tools",
    "functions",
    "response_format",
    "text",
    "system",
    "instructions",
    "modalities",
    "stream",
    "output",
    "choices",
    "usage",
    "content",
    "stop_reason",
    "incomplete_details",
    "status",
    "output_config",
]


@pytest.mark.parametrize("endpoint", get_args(Endpoint))
@BRIEF
@given(body=st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_any_json_is_survived(endpoint: Endpoint, body: dict[str, Any]) -> None:
    for read in (
        shape.system_text,
        shape.last_user_text,
        shape.last_role,
        shape.tool_names,
        shape.response_format_kind,
        shape.expects_structure,
        shape.has_images,
        shape.has_audio,
        shape.has_files,
        answer_of,
    ):
        read(endpoint, body)
