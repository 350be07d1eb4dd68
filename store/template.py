"""Bodies as templates and parts, so that text which repeats from call to call is stored once.

A part is JSON text in which a control byte, which JSON text can never contain raw, marks a hole:

    HOLE        the next part goes here
    VOLATILE    the next value of the call's own row goes here (ids, time stamps, token counts)
    LIST        as many parts as the next count says, as a JSON array

Putting a body together again is plain splicing of bytes, so numbers and key order come back as they were. Long strings
are parts of their own: what one agent says and the other hears is one part, whatever role it plays in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

HOLE: Final = b"\x00"
VOLATILE: Final = b"\x01"
LIST: Final = b"\x02"

LONG_STRING: Final = 16
"""Characters from which a string is a part of its own; measured on recorded agents, 16 to 25 store the fewest bytes."""
LARGE_VALUE: Final = 64
"""Bytes from which a request parameter (tools, system, response_format) is a part of its own."""

_LIST_KEYS: Final = frozenset({"messages", "input"})
_LARGEST: Final = (1 << 63) - 1
_TEXT_KEYS: Final = frozenset({"system", "instructions", "prompt"})
_VOLATILE_KEYS: Final = frozenset({"id", "created", "created_at", "completed_at"})
_ANSWER_KEYS: Final = frozenset({"choices", "output", "content", "error"})
_marks = re.compile(rb"[\x00\x01\x02]")
_hole = msgspec.Raw(HOLE)
_volatile = msgspec.Raw(VOLATILE)
_list = msgspec.Raw(LIST)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode

Part = bytes


class NotSplittable(ValueError):
    """The body is no JSON object that can be taken apart; it is stored whole."""


Kind = Literal["turn", "text", "flat"]
"""`turn` and `text` have their long strings as parts of their own; only turns are part of the conversation."""


@dataclass(slots=True)
class Split:
    """A body taken apart; join() puts it together again."""

    skeleton: Part
    units: list[bytes] = field(default_factory=list)
    """Raw JSON of each message and large parameter, in the order of their holes."""
    kinds: dict[int, Kind] = field(default_factory=dict)
    """What the units are that are no turns, by their index."""
    parts: list[Part] = field(default_factory=list)
    """Parts that fill the skeleton itself, in order."""
    counts: list[int] = field(default_factory=list)
    volatile: list[Any] = field(default_factory=list)


def split_unit(raw: bytes, kind: Kind) -> tuple[tuple[Part, ...], Any]:
    """Take one unit apart: its template and then the parts that fill it, and its parsed JSON; raises NotSplittable."""
    parts: list[Part] = []
    try:
        value = _decode(raw)
        template = _encode(value if kind == "flat" else _hoist(value, parts))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise NotSplittable(type(error).__name__) from error
    return (template, *parts), value


def split_request(body: bytes) -> Split:
    """Take a request apart into a skeleton of small parameters and units; raises NotSplittable."""
    members = _members(body)
    split = Split(b"")
    skeleton: dict[str, msgspec.Raw] = {}
    for key, raw in members.items():
        data = bytes(raw)
        if key in _LIST_KEYS and data[:1] == b"[":
            items = _decode_array(data)
            split.units += map(bytes, items)
            split.counts.append(len(items))
            skeleton[key] = _list
        elif key in _LIST_KEYS:
            split.units.append(data)
            skeleton[key] = _hole
        elif len(data) >= LARGE_VALUE:
            split.kinds[len(split.units)] = "text" if key in _TEXT_KEYS else "flat"
            split.units.append(data)
            skeleton[key] = _hole
        else:
            skeleton[key] = raw
    split.skeleton = _encode(skeleton)
    return split


def split_response(body: dict[str, Any]) -> Split:
    """Take a parsed answer apart; what differs in every call goes to `volatile`. Raises NotSplittable."""
    split = Split(b"")
    skeleton: dict[str, Any] = {}
    try:
        for key, value in body.items():
            skeleton[key] = _answer_member(key, value, split)
        split.skeleton = _encode(skeleton)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise NotSplittable(type(error).__name__) from error
    return split


def join(
    next_part: Callable[[], Part], next_count: Callable[[], int], next_volatile: Callable[[], Any]
) -> bytes:
    """Put a body together again from its parts in order."""

    def render(template: Part) -> Iterator[bytes]:
        start = 0
        for mark in _marks.finditer(template):
            yield template[start : mark.start()]
            start = mark.end()
            yield from fill(mark.group())
        yield template[start:]

    def fill(mark: bytes) -> Iterator[bytes]:
        if mark == HOLE:
            yield from render(next_part())
        elif mark == VOLATILE:
            yield _encode(next_volatile())
        else:
            yield b"["
            for index in range(next_count()):
                if index:
                    yield b","
                yield from render(next_part())
            yield b"]"

    return b"".join(render(next_part()))


def _members(body: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _decode_object(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise NotSplittable(type(error).__name__) from error


def _answer_member(key: str, value: Any, split: Split) -> Any:
    if key in _VOLATILE_KEYS and _fits_row(value):
        split.volatile.append(value)
        return _volatile
    if key == "usage":
        return _numbers_out(value, split.volatile)
    if key in _ANSWER_KEYS:
        return _hoist(value, split.parts)
    kind = type(value)
    if kind is not dict and kind is not list and (kind is not str or len(value) < LARGE_VALUE):
        return value
    split.parts.append(_encode(value))
    return _hole


def _hoist(value: Any, parts: list[Part]) -> Any:
    """The value with a hole for every long string, and those strings, as JSON text, in order."""
    kind = type(value)
    if kind is str:
        if len(value) < LONG_STRING:
            return value
        parts.append(_encode(value))
        return _hole
    if kind is dict:
        return {key: _hoist(member, parts) for key, member in value.items()}
    if kind is list:
        return [_hoist(member, parts) for member in value]
    return value


def _numbers_out(value: Any, volatile: list[Any]) -> Any:
    kind = type(value)
    if (kind is int and -_LARGEST <= value <= _LARGEST) or kind is float:
        volatile.append(value)
        return _volatile
    if kind is dict:
        return {key: _numbers_out(member, volatile) for key, member in value.items()}
    if kind is list:
        return [_numbers_out(member, volatile) for member in value]
    return value


def _fits_row(value: Any) -> bool:
    """Whether a call's row can hold a value: text and numbers, but JSON knows larger numbers than msgpack."""
    kind = type(value)
    return kind is str or kind is float or (kind is int and -_LARGEST <= value <= _LARGEST)
