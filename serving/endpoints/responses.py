"""POST /v1/responses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serving.endpoints import tokens
from serving.endpoints.answer import Answer
from serving.endpoints.base import Body, Reply, digest, named, number
from serving.endpoints.prompt import Prompt

_ECHOED: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
}
"""Request fields that a response repeats, with what it says when they were not given."""


class Responses:
    """The Responses API, whole and streamed."""

    name = "responses"

    def prompt(self, body: Body, choice: int = 0) -> Prompt:
        """Instructions and items as chat messages, tools as chat tools."""
        form = (body.get("text") or {}).get("format") or {}
        messages = [{"role": "system", "content": body["instructions"]}] if body.get("instructions") else []
        given = body["input"]
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        return Prompt(
            body=body,
            model=body["model"],
            messages=tuple(messages + [_chat_message(item) for item in items]),
            tools=tuple(tool for tool in body.get("tools") or () if tool.get("type") == "function"),
            tool_choice=_tool_choice(body.get("tool_choice")),
            schema=form.get("schema"),
            json_mode=form.get("type") in ("json_schema", "json_object"),
            temperature=body.get("temperature"),
            max_tokens=number(body.get("max_output_tokens")),
            digest=digest(body),
            choice=choice,
        )

    def count(self, body: Body) -> int:
        """Always one."""
        return 1

    def whole(self, reply: Reply) -> dict[str, Any]:
        """A `response`, completed."""
        return _response(reply, "completed", _items(reply), usage=_usage(reply))

    def events(self, reply: Reply) -> Iterator[bytes]:
        """`response.created` … `response.completed`, numbered from 0."""
        for number_, event in enumerate(_events(reply)):
            yield named(event["type"], event | {"sequence_number": number_})


def _events(reply: Reply) -> Iterator[dict[str, Any]]:
    started = _response(reply, "in_progress", [], usage=None)
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    items = _items(reply)
    for position, item in enumerate(items):
        place = {"output_index": position, "item_id": item["id"]}
        added = {"type": "response.output_item.added", "output_index": position}
        if item["type"] == "message":
            yield added | {"item": item | {"status": "in_progress", "content": []}}
            yield from _text_events(item, place | {"content_index": 0})
        else:
            yield added | {"item": item | {"status": "in_progress", "arguments": ""}}
            for fragment in tokens.fragments(item["arguments"], item["call_id"]):
                yield {"type": "response.function_call_arguments.delta", "delta": fragment} | place
            done = {"type": "response.function_call_arguments.done", "arguments": item["arguments"]}
            yield done | {"name": item["name"]} | place
        yield {"type": "response.output_item.done", "output_index": position, "item": item}
    yield {
        "type": "response.completed",
        "response": _response(reply, "completed", items, usage=_usage(reply)),
    }


def _text_events(item: dict[str, Any], place: dict[str, Any]) -> Iterator[dict[str, Any]]:
    part = item["content"][0]
    yield {"type": "response.content_part.added", "part": part | {"text": ""}} | place
    for piece in tokens.pieces(part["text"]):
        yield {"type": "response.output_text.delta", "delta": piece, "logprobs": []} | place
    yield {"type": "response.output_text.done", "text": part["text"], "logprobs": []} | place
    yield {"type": "response.content_part.done", "part": part} | place


def _response(reply: Reply, status: str, output: list[Any], usage: dict[str, Any] | None) -> dict[str, Any]:
    body = reply.prompt.body
    echoed = {key: body.get(key, default) for key, default in _ECHOED.items()}
    return {
        "id": reply.id("resp_", 48),
        "object": "response",
        "created_at": reply.created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": reply.model,
        "output": output,
        "service_tier": "default" if status == "completed" else "auto",
        "usage": usage,
    } | echoed


def _items(reply: Reply) -> list[dict[str, Any]]:
    answer = reply.answers[0]
    items = [_message_item(reply, answer)] if answer.content is not None else []
    for call in answer.tool_calls:
        item = {"id": reply.id("fc_", 48, call.id), "type": "function_call", "status": "completed"}
        items.append(item | {"arguments": call.arguments, "call_id": call.id, "name": call.name})
    return items


def _message_item(reply: Reply, answer: Answer) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "output_text", "annotations": [], "logprobs": [], "text": answer.content}
    item = {"id": reply.id("msg_", 48), "type": "message", "status": "completed"}
    return item | {"content": [part], "role": "assistant"}


def _usage(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt + usage.completion,
    }


def _chat_message(item: Any) -> dict[str, Any]:
    """An input item as a chat message; kinds that chat does not have keep their fields and no role."""
    if item.get("type") == "function_call_output":
        return {"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")}
    if item.get("type") == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    return dict(item)


def _tool_choice(value: Any) -> Any:
    if isinstance(value, dict) and value.get("type") == "function":
        return {"type": "function", "function": {"name": value.get("name")}}
    return value
