"""POST /v1/messages: the Anthropic format, which vLLM and many gateways serve too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from serving.endpoints import tokens
from serving.endpoints.answer import Answer
from serving.endpoints.base import Body, Reply, digest, named, number, stops
from serving.endpoints.prompt import Prompt, text_of

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_TOOL_CHOICES = {"any": "required", "auto": "auto", "none": "none"}


class Messages:
    """Messages, whole and streamed."""

    name = "messages"

    def prompt(self, body: Body, choice: int = 0) -> Prompt:
        """System and content blocks as chat messages, tools as chat tools."""
        system = text_of({"content": body.get("system")})
        messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
        for message in body["messages"]:
            messages.extend(_chat_messages(message))
        return Prompt(
            body=body,
            model=body["model"],
            messages=tuple(messages),
            tools=tuple(
                tool | {"parameters": tool.get("input_schema") or {}} for tool in body.get("tools") or ()
            ),
            tool_choice=_tool_choice(body.get("tool_choice")),
            temperature=body.get("temperature"),
            max_tokens=number(body["max_tokens"]),
            stop=stops(body.get("stop_sequences")),
            digest=digest(body),
            choice=choice,
        )

    def count(self, body: Body) -> int:
        """Always one."""
        return 1

    def whole(self, reply: Reply) -> dict[str, Any]:
        """A `message`."""
        answer = reply.answers[0]
        usage = _input_usage(reply) | {"output_tokens": reply.usage.completion}
        return _message(reply, _blocks(answer), _STOP_REASONS[answer.finish_reason], usage)

    def events(self, reply: Reply) -> Iterator[bytes]:
        """`message_start` … `message_stop`."""
        answer = reply.answers[0]
        started = _message(reply, [], None, _input_usage(reply) | {"output_tokens": 1})
        yield named("message_start", {"type": "message_start", "message": started})
        yield named("ping", {"type": "ping"})
        for index, block in enumerate(_blocks(answer)):
            for event in _block_events(block):
                yield named(event["type"], event | {"index": index})
        delta = {"stop_reason": _STOP_REASONS[answer.finish_reason], "stop_sequence": None}
        usage = {"output_tokens": reply.usage.completion}
        yield named("message_delta", {"type": "message_delta", "delta": delta, "usage": usage})
        yield named("message_stop", {"type": "message_stop"})


def _message(
    reply: Reply, content: list[dict[str, Any]], stop_reason: str | None, usage: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": reply.id("msg_01", 22),
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _blocks(answer: Answer) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": answer.content}] if answer.content else []
    for call in answer.tool_calls:
        block = {"type": "tool_use", "id": call.id.replace("call_", "toolu_"), "name": call.name}
        blocks.append(block | {"input": _arguments(call.arguments)})
    return blocks


def _arguments(text: str) -> dict[str, Any]:
    """Arguments as an object; what is no object (a small model's mistake) becomes an empty one."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _block_events(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    start, delta = "content_block_start", "content_block_delta"
    if block["type"] == "text":
        yield {"type": start, "content_block": {"type": "text", "text": ""}}
        for piece in tokens.pieces(block["text"]):
            yield {"type": delta, "delta": {"type": "text_delta", "text": piece}}
    else:
        yield {"type": start, "content_block": block | {"input": {}}}
        for fragment in tokens.fragments(orjson.dumps(block["input"]).decode(), block["id"]):
            yield {"type": delta, "delta": {"type": "input_json_delta", "partial_json": fragment}}
    yield {"type": "content_block_stop"}


def _input_usage(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": usage.cached}
    return {"input_tokens": usage.prompt - usage.cached} | cached


def _chat_messages(message: dict[str, Any]) -> list[dict[str, Any]]:
    blocks = message.get("content")
    if not isinstance(blocks, list):
        return [message]
    results = [
        {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": block.get("content")}
        for block in blocks
        if block.get("type") == "tool_result"
    ]
    calls = [
        {"id": block.get("id"), "type": "function", "function": _function(block)}
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    rest = [block for block in blocks if block.get("type") not in ("tool_result", "tool_use")]
    spoken = [message | {"content": rest} | ({"tool_calls": calls} if calls else {})] if rest or calls else []
    return spoken + results


def _function(block: dict[str, Any]) -> dict[str, Any]:
    return {"name": block.get("name"), "arguments": orjson.dumps(block.get("input")).decode()}


def _tool_choice(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value.get("type") == "tool":
        return {"type": "function", "function": {"name": value.get("name")}}
    return _TOOL_CHOICES.get(str(value.get("type")))
