"""The final body of an Anthropic messages stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from wire.json_stream import JsonStream
from wire.tolerant import count, mapping, sequence, text

_GROWING: Final = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "input"),
}
"""Type of the delta: its member, and the member of the block that grows by it."""


class MessagesStream(JsonStream):
    """Accumulates the events of `/v1/messages`."""

    def __init__(self) -> None:
        super().__init__()
        self._message: dict[str, Any] | None = None
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[tuple[int, str], list[str]] = {}

    def error_in(self, data: Mapping[str, Any]) -> dict[str, Any] | None:
        return dict(mapping(data.get("error"))) if data.get("type") == "error" else None

    def take(self, data: Mapping[str, Any]) -> None:
        match data.get("type"):
            case "message_start":
                self._message = dict(mapping(data.get("message")))
            case "content_block_start":
                self._take_block(data)
            case "content_block_delta":
                self._take_delta(data)
            case "message_delta":
                self._take_end(data)
            case "message_stop":
                self.done = True

    def _take_block(self, data: Mapping[str, Any]) -> None:
        place, block = count(data.get("index")), data.get("content_block")
        if place is None or not isinstance(block, dict):
            self.malformed += 1
            return
        self._blocks[place] = dict(block)
        self.has_content = self.has_content or "id" in block or bool(block.get("text"))

    def _take_delta(self, data: Mapping[str, Any]) -> None:
        place, delta = count(data.get("index")), mapping(data.get("delta"))
        kind = text(delta.get("type"))
        if place is None:
            self.malformed += 1
        elif kind in _GROWING:
            source, member = _GROWING[kind]
            piece = text(delta.get(source))
            self._pieces.setdefault((place, member), []).append(piece)
            self.has_content = self.has_content or (piece != "" and member != "signature")
        elif kind == "citations_delta":
            block = self._blocks.setdefault(place, {"type": "text", "text": ""})
            block["citations"] = [*sequence(block.get("citations")), delta.get("citation")]

    def _take_end(self, data: Mapping[str, Any]) -> None:
        message = self._message = self._message or {}
        message.update(mapping(data.get("delta")))
        stated = {key: value for key, value in mapping(data.get("usage")).items() if value is not None}
        message["usage"] = {**mapping(message.get("usage")), **stated}

    def body(self) -> dict[str, Any] | None:
        if self._message is None and not self._blocks and not self._pieces:
            return None
        blocks = {place: dict(block) for place, block in self._blocks.items()}
        for (place, member), pieces in self._pieces.items():
            block = blocks.setdefault(place, {"type": "tool_use" if member == "input" else member})
            _grow(block, member, "".join(pieces))
        message = {"type": "message", "role": "assistant", **(self._message or {})}
        return {**message, "content": [blocks[place] for place in sorted(blocks)]}


def _grow(block: dict[str, Any], member: str, value: str) -> None:
    if member == "input":
        block["input"] = _tool_input(value)
    else:
        block[member] = text(block.get(member)) + value


def _tool_input(value: str) -> Any:
    """The input of a tool call; text that is no JSON, as of a stream cut short, is kept as text."""
    try:
        return orjson.loads(value) if value else {}
    except orjson.JSONDecodeError:
        return value
