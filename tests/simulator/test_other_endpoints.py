"""Completions, responses and messages: whole, streamed, with tools."""

from __future__ import annotations

from typing import Any

import httpx2
import orjson
import pydantic
from openai import OpenAI

from simulator.desk.prompts import SYSTEM, TOOLS

TICKET = "I cannot log in to my account any more. My email is maria@example.com."
FLAT_TOOLS: list[Any] = [{"type": "function", "strict": True} | tool["function"] for tool in TOOLS]


def named_events(raw: bytes) -> list[dict[str, Any]]:
    found = []
    for block in raw.removesuffix(b"\n\n").split(b"\n\n"):
        name, _, data = block.partition(b"\n")
        event = orjson.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + event["type"].encode()
        found.append(event)
    return found


def test_completions_whole_and_streamed(client: OpenAI) -> None:
    whole = client.completions.create(model="gpt-3.5-turbo", prompt="Say something")
    stream = client.completions.create(
        model="gpt-3.5-turbo", prompt="Say something", stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == whole.choices[0].text
    assert chunks[-1].usage == whole.usage


def test_responses_whole_and_streamed(client: OpenAI) -> None:
    arguments: dict[str, Any] = {"model": "gpt-4o", "instructions": SYSTEM["classify"], "input": TICKET}
    whole = client.responses.create(**arguments)
    assert whole.output_text == "account_access"
    assert whole.usage is not None
    with client.responses.stream(**arguments) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert kinds.count("response.output_text.done") == 1
    assert final.output_text == whole.output_text
    assert final.usage == whole.usage


def test_responses_events_are_numbered(http: httpx2.Client) -> None:
    body = {
        "model": "gpt-4o",
        "input": TICKET,
        "instructions": SYSTEM["act"],
        "tools": FLAT_TOOLS,
        "stream": True,
    }
    events = named_events(http.post("/v1/responses", json=body).content)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    deltas = [e["delta"] for e in events if e["type"] == "response.function_call_arguments.delta"]
    assert orjson.loads("".join(deltas)) == {"email": "maria@example.com"}


def test_responses_tool_loop_and_structured_output(client: OpenAI) -> None:
    class Answer(pydantic.BaseModel):
        title: str
        score: int

    given: list[Any] = [{"role": "user", "content": TICKET}]
    first = client.responses.create(model="gpt-4o", instructions=SYSTEM["act"], input=given, tools=FLAT_TOOLS)
    call = first.output[0]
    assert call.type == "function_call"
    given += [
        call.model_dump(exclude_none=True),
        {"type": "function_call_output", "call_id": call.call_id, "output": '{"ok": true}'},
    ]
    second = client.responses.create(
        model="gpt-4o", instructions=SYSTEM["act"], input=given, tools=FLAT_TOOLS
    )
    assert "new password" in second.output_text
    parsed = client.responses.parse(model="gpt-4o", input="Rate it", text_format=Answer).output_parsed
    assert isinstance(parsed, Answer)


def test_messages_whole_and_streamed(http: httpx2.Client) -> None:
    body = {
        "model": "gpt-4o",
        "max_tokens": 100,
        "system": [{"type": "text", "text": SYSTEM["urgency"]}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": TICKET + " This is urgent."}]}],
    }
    whole = http.post("/v1/messages", json=body).json()
    assert whole["content"] == [{"type": "text", "text": "yes"}]
    assert (whole["type"], whole["stop_reason"]) == ("message", "end_turn")
    events = named_events(http.post("/v1/messages", json=body | {"stream": True}).content)
    assert (events[0]["type"], events[-1]["type"]) == ("message_start", "message_stop")
    texts = [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(texts) == "yes"


def test_messages_with_tools(http: httpx2.Client) -> None:
    functions = [tool["function"] for tool in TOOLS]
    tools = [
        {"name": f["name"], "description": f["description"], "input_schema": f["parameters"]}
        for f in functions
    ]
    body: dict[str, Any] = {"model": "gpt-4o", "max_tokens": 100, "system": SYSTEM["act"], "tools": tools}
    body["messages"] = [{"role": "user", "content": TICKET}]
    whole = http.post("/v1/messages", json=body).json()
    used = whole["content"][0]
    assert (whole["stop_reason"], used["name"]) == ("tool_use", "reset_password")
    assert used["input"] == {"email": "maria@example.com"}
    events = named_events(http.post("/v1/messages", json=body | {"stream": True}).content)
    parts = [event["delta"]["partial_json"] for event in events if event["type"] == "content_block_delta"]
    assert orjson.loads("".join(parts)) == used["input"]
    result = {"type": "tool_result", "tool_use_id": used["id"], "content": '{"ok": true}'}
    body["messages"] += [
        {"role": "assistant", "content": whole["content"]},
        {"role": "user", "content": [result]},
    ]
    assert "new password" in http.post("/v1/messages", json=body).json()["content"][0]["text"]
