"""One view of an answer, whichever endpoint gave it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from wire.shape import Endpoint, content_text
from wire.tolerant import mapping, mappings, text


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that the model asks for."""

    name: str
    arguments: str
    """JSON text, as the model wrote it (re-encoded for messages, where it arrives parsed)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said, in its first choice."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = ""
    """In OpenAI's words: `stop`, `length`, `tool_calls`, `content_filter`; empty when the answer was cut off."""
    refusal: str = ""


_STOP_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_INCOMPLETE: Final = {"max_output_tokens": "length", "content_filter": "content_filter"}


def answer_of(endpoint: Endpoint, body: Mapping[str, Any]) -> Answer:
    """Read a response body; what has the wrong type reads as empty."""
    match endpoint:
        case "responses":
            return _of_response(body)
        case "messages":
            return _of_message(body)
        case _:
            return _of_choice(next(iter(mappings(body.get("choices"))), {}))


def _of_choice(choice: Mapping[str, Any]) -> Answer:
    message = mapping(choice.get("message"))
    return Answer(
        text=text(choice.get("text")) or content_text(message.get("content")),
        tool_calls=tuple(_chat_calls(message)),
        finish_reason=text(choice.get("finish_reason")),
        refusal=text(message.get("refusal")),
    )


def _chat_calls(message: Mapping[str, Any]) -> Iterator[ToolCall]:
    for call in mappings(message.get("tool_calls")):
        custom = mapping(call.get("custom"))
        function = mapping(call.get("function")) or custom
        yield ToolCall(
            text(function.get("name")), text(custom.get("input")) or text(function.get("arguments"))
        )
    legacy = mapping(message.get("function_call"))
    if legacy:
        yield ToolCall(text(legacy.get("name")), text(legacy.get("arguments")))


def _of_response(body: Mapping[str, Any]) -> Answer:
    said, refusals, calls = [], [], []
    for item in mappings(body.get("output")):
        match item.get("type"):
            case "message":
                said.append(content_text(item.get("content")))
                refusals += [text(part.get("refusal")) for part in mappings(item.get("content"))]
            case "function_call":
                calls.append(ToolCall(text(item.get("name")), text(item.get("arguments"))))
            case "custom_tool_call":
                calls.append(ToolCall(text(item.get("name")), text(item.get("input"))))
    reason = text(mapping(body.get("incomplete_details")).get("reason"))
    finish = _INCOMPLETE.get(reason, reason)
    if body.get("status") == "completed":
        finish = "tool_calls" if calls else "stop"
    return Answer("\n".join(filter(None, said)), tuple(calls), finish, "\n".join(filter(None, refusals)))


def _of_message(body: Mapping[str, Any]) -> Answer:
    said, calls = [], []
    for block in mappings(body.get("content")):
        match block.get("type"):
            case "text":
                said.append(text(block.get("text")))
            case "tool_use":
                calls.append(ToolCall(text(block.get("name")), _encoded(block.get("input"))))
    reason = text(body.get("stop_reason"))
    return Answer("".join(said), tuple(calls), _STOP_REASONS.get(reason, reason))


def _encoded(value: object) -> str:
    """Tool input as JSON text; a string is input that could not be parsed, and stays as it is."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
