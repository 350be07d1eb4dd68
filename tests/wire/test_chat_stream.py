"""A chat stream, cut in pieces any way, must give back the message that was cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from wire.accumulate import Accumulator, accumulator_for

BRIEF = settings(max_examples=60, deadline=None)

Feed = Callable[..., Accumulator]

HEAD = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 7,
    "model": "gpt-4o-mini",
    "system_fingerprint": "fp_1",
}
USAGE = {"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14}


def chunk(delta: dict[str, Any], index: int = 0, finish: str | None = None, **members: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**HEAD, "choices": [choice], **members}


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]


def call_chunks(calls: list[dict[str, Any]], size: int, repeat: bool) -> list[dict[str, Any]]:
    """Fragments of parallel calls; with `repeat` every fragment names its call again, as some servers do."""
    out = []
    for index, call in enumerate(calls):
        function = call["function"]
        for number, part in enumerate(pieces(function["arguments"], size)):
            fragment: dict[str, Any] = {"index": index, "function": {"arguments": part}}
            if number == 0 or repeat:
                fragment |= {"id": call["id"], "type": "function"}
                fragment["function"]["name"] = function["name"]
            out.append(chunk({"tool_calls": [fragment]}))
    return out


CALLS = st.lists(
    st.builds(
        lambda number, name, arguments: {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        },
        st.integers(0, 10**6),
        st.sampled_from(["find", "refund_order", "a"]),
        st.text(max_size=30),
    ),
    max_size=3,
)


@BRIEF
@given(st.text(max_size=60), CALLS, st.integers(1, 9), st.booleans())
def test_any_cut_gives_the_message_back(
    content: str, calls: list[dict[str, Any]], size: int, repeat: bool
) -> None:
    chunks = [chunk({"role": "assistant", "content": ""})]
    chunks += [chunk({"content": part}) for part in pieces(content, size)]
    chunks += call_chunks(calls, size, repeat)
    chunks += [chunk({}, finish="stop"), {**HEAD, "choices": [], "usage": USAGE}]
    accumulator = accumulator_for("chat.completions")
    for item in chunks:
        accumulator.take(item)  # type: ignore[attr-defined]  # the step below feed, which parses
    body = accumulator.body()
    assert body is not None
    message = {"role": "assistant", "content": content} | ({"tool_calls": calls} if calls else {})
    assert body["choices"] == [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    assert body["usage"] == USAGE
    assert body["object"] == "chat.completion"


STREAMS: dict[str, list[dict[str, Any]]] = {
    "text": [chunk({"role": "assistant", "content": ""}), chunk({"content": "Hé"}), chunk({"content": "llo"}, finish="stop")],
    "refusal": [chunk({"role": "assistant", "refusal": "I "}), chunk({"refusal": "cannot"}), chunk({}, finish="stop")],
    "service": [chunk({"role": "assistant", "content": "a"}, service_tier="default"), chunk({}, finish="stop")],
    "parallel calls": [
        chunk({"role": "assistant", "content": None}),
        chunk({"tool_calls": [{"index": 0, "id": "c0", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 1, "id": "c1", "type": "function", "function": {"name": "g", "arguments": "{"}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}, {"index": 1, "function": {"arguments": "}"}}]}),
        chunk({}, finish="tool_calls"),
    ],
    "two choices": [
        chunk({"role": "assistant", "content": "a"}, index=0),
        chunk({"role": "assistant", "content": "b"}, index=1),
        chunk({"content": "B"}, index=1, finish="stop"),
        chunk({}, index=0, finish="length"),
    ],
    "logprobs": [
        {**HEAD, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "x"}, "finish_reason": None, "logprobs": {"content": [{"token": "x", "logprob": -0.1, "bytes": [120], "top_logprobs": []}], "refusal": None}}]},
        {**HEAD, "choices": [{"index": 0, "delta": {"content": "y"}, "finish_reason": "stop", "logprobs": {"content": [{"token": "y", "logprob": -0.2, "bytes": [121], "top_logprobs": []}], "refusal": None}}]},
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_agrees_with_the_sdk(name: str, feed: Feed) -> None:
    chunks = [*STREAMS[name], {**HEAD, "choices": [], "usage": USAGE}]
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for item in chunks:
        list(state.handle_chunk(ChatCompletionChunk.model_validate(item)))
    ours = ChatCompletion.model_validate(feed("chat.completions", chunks).body())
    theirs = ChatCompletion.model_validate(state.current_completion_snapshot.model_dump(exclude_none=True))
    assert strip(ours.model_dump(exclude_none=True)) == strip(theirs.model_dump(exclude_none=True))


def strip(value: Any) -> Any:
    """Without the members that the SDK adds to its snapshots: `index` in tool calls, parsed values."""
    if isinstance(value, list):
        return [strip(item) for item in value]
    if not isinstance(value, dict):
        return value
    added = {"parsed", "parsed_arguments", "index"} if "function" in value or "role" in value else {"parsed"}
    return {key: strip(item) for key, item in value.items() if key not in added}


def test_reasoning_and_legacy_calls(feed: Feed) -> None:
    chunks = [
        chunk({"role": "assistant", "reasoning_content": "I "}),
        chunk({"reasoning_content": "think"}),
        chunk({"function_call": {"name": "f", "arguments": '{"a"'}}),
        chunk({"function_call": {"arguments": ":1}"}}, finish="function_call"),
    ]
    message = feed("chat.completions", chunks).body()["choices"][0]["message"]  # type: ignore[index]
    assert message["reasoning_content"] == "I think"
    assert message["function_call"] == {"name": "f", "arguments": '{"a":1}'}


@pytest.mark.parametrize(
    "fragments",
    [
        [{"id": "a", "function": {"name": "f", "arguments": "1"}}, {"id": "b", "function": {"name": "f", "arguments": "2"}}],
        [{"id": "a", "function": {"name": "f"}}, {"function": {"arguments": "1"}}, {"id": "b", "function": {"name": "f"}}, {"id": "b", "function": {"arguments": "2"}}],
    ],
)  # fmt: skip
def test_calls_without_index_are_told_apart_by_id(fragments: list[dict[str, Any]], feed: Feed) -> None:
    body = feed("chat.completions", [chunk({"tool_calls": [fragment]}) for fragment in fragments]).body()
    assert body is not None
    calls = body["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], call["function"]) for call in calls] == [
        ("a", {"name": "f", "arguments": "1"}),
        ("b", {"name": "f", "arguments": "2"}),
    ]


@pytest.mark.parametrize(
    ("delta", "begun"),
    [
        ({"role": "assistant", "content": ""}, False),
        ({"content": None, "tool_calls": None}, False),
        ({}, False),
        ({"content": " "}, True),
        ({"reasoning_content": "h"}, True),
        ({"refusal": "n"}, True),
        ({"tool_calls": [{"index": 0}]}, True),
    ],
)
def test_output_begins_with_the_first_token(delta: dict[str, Any], begun: bool, feed: Feed) -> None:
    assert feed("chat.completions", [chunk(delta)]).has_content is begun
