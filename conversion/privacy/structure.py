"""Walks over requests and answers: what people and models said is changed, what programs read keeps its structure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal, Protocol

import orjson

from conversion.example import Example
from wire.answer import Answer, ToolCall

Place = Literal["instructions", "conversation"]

_SAID: Final = ("messages", "input", "prompt", "system", "instructions")
_ANSWERED: Final = ("choices", "output", "output_text", "content", "error")
_ABOUT: Final = ("user", "metadata", "safety_identifier")
_WIRE: Final = frozenset(
    ("type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "name", "status", "cache_control", "image_url",
     "source", "file", "file_id", "input_audio", "encrypted_content", "signature", "detail")
)  # fmt: skip
"""Members of messages that are not said: they tie calls to results, name tools, or hold images."""
_FREE: Final = ("input", "metadata")
"""Members whose value is JSON of the agent's own, in which every member counts."""
_JSON_PIECE: Final = re.compile(
    r'(?P<string>"(?:[^"\\\x00-\x1f]|\\.)*")(?P<key>\s*:)?|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)'
)


class Rewriter(Protocol):
    """Changes what stands in texts."""

    def text(self, text: str, place: Place) -> str: ...

    def number(self, literal: str) -> str:
        """What stands for a JSON number: itself, another number, or a text without quotes."""
        ...

    def unquoted(self, text: str) -> str | None:
        """The number that a JSON string stands for; None when it stays a string."""
        ...


def rewritten(example: Example, rewriter: Rewriter) -> Example:
    """The example with every text changed; keys, ids, tools and schemas stay."""
    request = rewritten_request(example.request, rewriter)
    return replace(example, request=request, answer=_answer(example.answer, rewriter))


def rewritten_request(request: Mapping[str, Any], rewriter: Rewriter) -> dict[str, Any]:
    """The request's body, likewise."""
    return {name: _member(name, value, rewriter) for name, value in request.items()}


def rewritten_response(body: Mapping[str, Any], rewriter: Rewriter) -> dict[str, Any]:
    """The response's body, likewise."""
    return {
        name: _items(value, rewriter, "conversation") if name in _ANSWERED else value
        for name, value in body.items()
    }


def said(request: Mapping[str, Any]) -> str:
    """What user, tools and model said, instructions left out."""
    pieces: list[str] = []
    rewritten_request = _Collect(pieces)
    for name in _SAID:
        if name in request:
            _member(name, request[name], rewritten_request)
    return "\n".join(pieces)


def _answer(answer: Answer, rewriter: Rewriter) -> Answer:
    calls = tuple(
        ToolCall(call.name, _text(call.arguments, rewriter, "conversation")) for call in answer.tool_calls
    )
    return replace(answer, text=_text(answer.text, rewriter, "conversation"), tool_calls=calls)


def _member(name: str, value: Any, rewriter: Rewriter) -> Any:
    if name in _SAID:
        place: Place = "instructions" if name in ("system", "instructions") else "conversation"
        return _items(value, rewriter, place)
    return _free(value, rewriter, "conversation") if name in _ABOUT else value


def _items(value: Any, rewriter: Rewriter, place: Place) -> Any:
    """Messages and their parts."""
    if isinstance(value, str):
        return _text(value, rewriter, place)
    if isinstance(value, list):
        return [_items(item, rewriter, place) for item in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("role") in ("system", "developer"):
        place = "instructions"
    return {name: _part(name, member, rewriter, place) for name, member in value.items()}


def _part(name: str, value: Any, rewriter: Rewriter, place: Place) -> Any:
    if name in _WIRE:
        return value
    if name == "logprobs":
        return None  # whose tokens spell what was said
    if name in _FREE and isinstance(value, Mapping):
        return _free(value, rewriter, place)
    return _items(value, rewriter, place)


def _free(value: Any, rewriter: Rewriter, place: Place) -> Any:
    """JSON of the agent's own, parsed."""
    if isinstance(value, str):
        literal = rewriter.unquoted(value)
        return _text(value, rewriter, place) if literal is None else orjson.loads(literal)
    if isinstance(value, list):
        return [_free(item, rewriter, place) for item in value]
    if isinstance(value, Mapping):
        return {name: _free(member, rewriter, place) for name, member in value.items()}
    if isinstance(value, int) and not isinstance(value, bool):
        literal = rewriter.number(str(value))
        return int(literal) if literal.lstrip("-").isdigit() else literal
    return value


def _text(text: str, rewriter: Rewriter, place: Place) -> str:
    """A text; where it is JSON, its strings and numbers one by one, and everything between them as it was."""
    if not _is_json(text):
        return rewriter.text(text, place)

    def piece(match: re.Match[str]) -> str:
        if match["number"] is not None:
            literal = rewriter.number(match["number"])
            return literal if literal == match["number"] else f'"{literal}"'
        if match["key"] is not None:
            return match[0]
        return _string(match["string"], rewriter, place)

    return _JSON_PIECE.sub(piece, text)


def _string(quoted: str, rewriter: Rewriter, place: Place) -> str:
    value: str = orjson.loads(quoted)
    literal = rewriter.unquoted(value)
    if literal is not None:
        return literal
    changed = _text(value, rewriter, place)
    return quoted if changed == value else orjson.dumps(changed).decode()


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


class _Collect:
    """A rewriter that changes nothing and keeps what was said in the conversation."""

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces

    def text(self, text: str, place: Place) -> str:
        if place == "conversation":
            self._pieces.append(text)
        return text

    def number(self, literal: str) -> str:
        self._pieces.append(literal)
        return literal

    def unquoted(self, text: str) -> str | None:
        return None
