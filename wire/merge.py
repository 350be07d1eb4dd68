"""Merging the deltas of a stream: strings grow, lists and objects fill, entries with an index find their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wire.tolerant import count

_WHOLE: Final = frozenset(
    {
        "id",
        "type",
        "role",
        "index",
        "object",
        "format",
        "finish_reason",
        "stop_reason",
        "native_finish_reason",
    }
)
"""Strings that are sent whole, sometimes again in every chunk: the last one counts."""
_DEEPEST: Final = 16
"""Levels that are merged; what lies deeper is kept as it came, so that no depth of nesting can exhaust the stack."""


class Fragments:
    """A string that arrives in pieces, joined when it is asked for."""

    __slots__ = ("_pieces",)

    def __init__(self, first: str = "") -> None:
        self._pieces = [first]

    def add(self, piece: str) -> None:
        """Append one piece."""
        self._pieces.append(piece)

    def __str__(self) -> str:
        return "".join(self._pieces)


class Indexed:
    """Objects that are told apart by their `index` (choices, tool calls), merged piece by piece."""

    __slots__ = ("_by_id", "_entries", "_latest")

    def __init__(self) -> None:
        self._entries: dict[int, dict[str, Any]] = {}
        self._by_id: dict[str, int] = {}
        self._latest = 0

    def add(self, item: Mapping[str, Any], depth: int = 0) -> None:
        """Merge one piece into the entry that it belongs to."""
        merge(self._entries.setdefault(self._place(item), {}), item, depth)

    def _place(self, item: Mapping[str, Any]) -> int:
        """The stated index; without one, the entry of the same id, else a new one; without an id, the latest."""
        place = count(item.get("index"))
        identifier = item.get("id")
        named = isinstance(identifier, str) and identifier != ""
        if place is None and named:
            place = self._by_id.get(str(identifier), max(self._entries, default=-1) + 1)
        elif place is None:
            place = self._latest
        if named:
            self._by_id[str(identifier)] = place
        self._latest = place
        return place

    def entries(self) -> list[dict[str, Any]]:
        """The entries, still in pieces, in the order of their index."""
        return [self._entries[place] for place in sorted(self._entries)]


def merge(into: dict[str, Any], delta: Mapping[str, Any], depth: int = 0) -> None:
    """Add the pieces in `delta` to what is held; `settle` makes plain JSON of the result."""
    for key, value in delta.items():
        held = into.get(key)
        if value is None:
            into.setdefault(key, None)
        elif isinstance(value, str):
            _merge_text(into, key, held, value)
        elif isinstance(value, dict) and depth < _DEEPEST:
            if not isinstance(held, dict):
                into[key] = held = {}
            merge(held, value, depth + 1)
        elif isinstance(value, list) and depth < _DEEPEST:
            _merge_list(into, key, held, value, depth + 1)
        else:
            into[key] = value


def _merge_text(into: dict[str, Any], key: str, held: object, value: str) -> None:
    if key in _WHOLE:
        into[key] = value or held or value
    elif not isinstance(held, Fragments):
        into[key] = Fragments(value)
    elif not (key == "name" and str(held) == value):  # some servers repeat a tool's name in every fragment
        held.add(value)


def _merge_list(into: dict[str, Any], key: str, held: object, value: list[Any], depth: int) -> None:
    objects = bool(value) and all(isinstance(item, dict) for item in value)
    if isinstance(held, Indexed) or (objects and (key == "tool_calls" or "index" in value[0])):
        indexed = held if isinstance(held, Indexed) else Indexed()
        into[key] = indexed
        for item in value:
            if isinstance(item, dict):
                indexed.add(item, depth)
    elif isinstance(held, list):
        held.extend(value)
    else:
        into[key] = list(value)


def settle(value: Any) -> Any:
    """What was merged, as plain JSON values, in fresh containers as far down as merging went."""
    return _settle(value, 0)


def _settle(value: Any, depth: int) -> Any:
    if isinstance(value, Fragments):
        return str(value)
    if depth > _DEEPEST:
        return value
    if isinstance(value, Indexed):
        return [_settle(entry, depth + 1) for entry in value.entries()]
    if isinstance(value, dict):
        return {key: _settle(item, depth + 1) for key, item in value.items()}
    return value
