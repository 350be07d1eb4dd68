"""The final body of a responses stream: the closing event carries it whole; a cut stream is rebuilt from its deltas."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from wire.json_stream import JsonStream
from wire.tolerant import count, mapping, text

_CLOSING: Final = ("response.completed", "response.incomplete", "response.failed")
_OPENING: Final = ("response.created", "response.queued", "response.in_progress")
_CALLS: Final = ("function_call", "custom_tool_call", "mcp_call", "computer_call")


class _Target(NamedTuple):
    """Where the text of a kind of delta event belongs: in the item itself, or in an entry of one of its lists."""

    member: str
    holder: str = ""
    place: str = ""
    """Name of the event's member that says which entry."""
    kind: str = ""


_TARGETS: Final[Mapping[str, _Target]] = {
    "response.output_text.delta": _Target("text", "content", "content_index", "output_text"),
    "response.refusal.delta": _Target("refusal", "content", "content_index", "refusal"),
    "response.reasoning_text.delta": _Target("text", "content", "content_index", "reasoning_text"),
    "response.reasoning_summary_text.delta": _Target("text", "summary", "summary_index", "summary_text"),
    "response.function_call_arguments.delta": _Target("arguments"),
    "response.mcp_call_arguments.delta": _Target("arguments"),
    "response.custom_tool_call_input.delta": _Target("input"),
    "response.code_interpreter_call_code.delta": _Target("code"),
}


class ResponsesStream(JsonStream):
    """Accumulates the events of `/v1/responses`."""

    def __init__(self) -> None:
        super().__init__()
        self._response: dict[str, Any] | None = None
        self._whole = False
        self._items: dict[int, dict[str, Any]] = {}
        self._finished: set[int] = set()
        self._pieces: dict[tuple[int, _Target, int], list[str]] = {}

    def error_in(self, data: Mapping[str, Any]) -> dict[str, Any] | None:
        if data.get("type") == "error":
            nested = data.get("error")
            return nested if isinstance(nested, dict) else dict(data)
        return super().error_in(data)

    def take(self, data: Mapping[str, Any]) -> None:
        kind = text(data.get("type"))
        if kind in _CLOSING or kind in _OPENING:
            self._take_response(kind, data.get("response"))
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._take_item(kind, data)
        elif kind in _TARGETS:
            self._take_delta(_TARGETS[kind], data)

    def _take_response(self, kind: str, response: object) -> None:
        if not isinstance(response, dict) or self._whole:
            return
        self._response = response
        if kind in _CLOSING:
            self._whole = self.done = True
            self.has_content = self.has_content or bool(response.get("output"))
        if kind == "response.failed":
            self.error = dict(mapping(response.get("error")))

    def _take_item(self, kind: str, data: Mapping[str, Any]) -> None:
        place, item = count(data.get("output_index")), data.get("item")
        if place is None or not isinstance(item, dict):
            self.malformed += 1
            return
        self._items[place] = item
        self.has_content = self.has_content or item.get("type") in _CALLS
        if kind.endswith(".done"):
            self._finished.add(place)

    def _take_delta(self, target: _Target, data: Mapping[str, Any]) -> None:
        place, delta = count(data.get("output_index")), data.get("delta")
        part = count(data.get(target.place)) if target.place else 0
        if place is None or part is None or not isinstance(delta, str):
            self.malformed += 1
            return
        self._pieces.setdefault((place, target, part), []).append(delta)
        self.has_content = self.has_content or delta != ""

    def body(self) -> dict[str, Any] | None:
        if self._whole:
            return self._response
        if self._response is None and not self._items and not self._pieces:
            return None
        return {"object": "response", **(self._response or {}), "output": self._rebuilt_output()}

    def _rebuilt_output(self) -> list[dict[str, Any]]:
        items = copy.deepcopy(self._items)
        for (place, target, _), pieces in sorted(self._pieces.items()):
            if place not in self._finished:
                _write(items.setdefault(place, _new_item(target)), target, "".join(pieces))
        return [items[place] for place in sorted(items)]


def _new_item(target: _Target) -> dict[str, Any]:
    """An item whose opening event was lost."""
    if target.holder == "content" and target.kind != "reasoning_text":
        return {"type": "message", "role": "assistant", "content": []}
    return {"type": "reasoning", "summary": []} if target.holder else {"type": "function_call"}


def _write(item: dict[str, Any], target: _Target, value: str) -> None:
    """Put a finished text in its place; the parts of a list come in the order of their index."""
    if not target.holder:
        item[target.member] = value
        return
    parts = item.get(target.holder)
    if not isinstance(parts, list):
        parts = item[target.holder] = []
    part: dict[str, Any] = {"type": target.kind, target.member: value}
    if target.kind == "output_text":
        part["annotations"] = []
    parts.append(part)
