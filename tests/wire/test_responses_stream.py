"""The closing event carries the response; without it the deltas must give what was said so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from openai.types.responses import Response

from wire.accumulate import Accumulator

Feed = Callable[..., Accumulator]

PART = {"type": "output_text", "text": "", "annotations": []}
TEXT_ITEM = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
CALL_ITEM = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": "", "status": "in_progress"}  # fmt: skip
REASONING_ITEM = {"id": "rs_1", "type": "reasoning", "summary": []}


def response(status: str, output: list[Any], **members: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": status,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        **members,
    }


def event(kind: str, **members: Any) -> dict[str, Any]:
    return {"type": kind, **members}


STREAM = [
    event("response.created", response=response("in_progress", [])),
    event("response.in_progress", response=response("in_progress", [])),
    event("response.output_item.added", output_index=0, item=REASONING_ITEM),
    event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="first"),
    event("response.reasoning_summary_text.delta", output_index=0, summary_index=1, delta="second"),
    event("response.output_item.added", output_index=1, item=TEXT_ITEM),
    event("response.content_part.added", output_index=1, content_index=0, part=PART),
    event("response.output_text.delta", output_index=1, content_index=0, delta="Hel"),
    event("response.output_text.delta", output_index=1, content_index=0, delta="lo"),
    event("response.output_item.added", output_index=2, item=CALL_ITEM),
    event("response.function_call_arguments.delta", output_index=2, delta='{"a"'),
    event("response.function_call_arguments.delta", output_index=2, delta=":1}"),
]


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed"])
def test_the_closing_event_is_the_body(status: str, feed: Feed) -> None:
    error = {"code": "server_error", "message": "no"} if status == "failed" else None
    final = response(status, [], usage={"input_tokens": 1}, error=error)
    accumulator = feed("responses", [*STREAM, event(f"response.{status}", response=final)])
    assert accumulator.body() == final
    assert accumulator.done
    assert accumulator.error == error


def test_a_cut_stream_is_rebuilt_from_its_deltas(feed: Feed) -> None:
    accumulator = feed("responses", STREAM)
    body = accumulator.body()
    assert body is not None
    assert not accumulator.done
    reasoning, message, call = Response.model_validate(body).model_dump()["output"]
    assert [part["text"] for part in reasoning["summary"]] == ["first", "second"]
    assert [part["text"] for part in message["content"]] == ["Hello"]
    assert call["arguments"] == '{"a":1}'
    assert accumulator.body() == body, "asking twice gives the same"


def test_a_finished_item_counts_more_than_its_deltas(feed: Feed) -> None:
    done = {**CALL_ITEM, "arguments": '{"a":2}', "status": "completed"}
    body = feed("responses", [*STREAM, event("response.output_item.done", output_index=2, item=done)]).body()
    assert body is not None
    assert body["output"][2] == done


def test_deltas_without_their_opening_events_are_kept(feed: Feed) -> None:
    body = feed("responses", [STREAM[7], STREAM[8]]).body()
    assert body is not None
    assert body["output"][0]["content"] == [{"type": "output_text", "text": "Hello", "annotations": []}]


@pytest.mark.parametrize(
    "error",
    [
        {"type": "error", "code": "server_error", "message": "no", "param": None},
        {"error": {"message": "no", "type": "server_error"}},
    ],
)
def test_an_error_event_is_kept(error: dict[str, Any], feed: Feed) -> None:
    accumulator = feed("responses", [STREAM[0], error])
    assert accumulator.error is not None
    assert accumulator.error["message"] == "no"
    assert not accumulator.done


@pytest.mark.parametrize(("length", "begun"), [(2, False), (3, False), (4, True), (7, True)])
def test_output_begins_with_the_first_token(length: int, begun: bool, feed: Feed) -> None:
    assert feed("responses", STREAM[:length]).has_content is begun
    assert feed("responses", [STREAM[9]]).has_content
