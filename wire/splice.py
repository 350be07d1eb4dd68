"""Change one top-level member of a JSON object and leave every other byte as it was."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

_SPACE: Final = rb"[ \t\r\n]*+"
_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
_KEY: Final = re.compile(rb"(" + _STRING + rb")" + _SPACE + rb":" + _SPACE, re.DOTALL)
_OPEN: Final = re.compile(_SPACE + rb"\{" + _SPACE)
_COMMA: Final = re.compile(_SPACE + rb"," + _SPACE)
_ENDED: Final = re.compile(_SPACE + rb"[,}]")
_SCALAR: Final = re.compile(_STRING + rb"|[^\[{\"\s,}\]]++", re.DOTALL)
_BRACKET: Final = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)

_top_level: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array: Final = msgspec.json.Decoder(list[msgspec.Raw])


class SpliceError(ValueError):
    """The bytes are not a JSON object, or hold no such member."""


class Member(NamedTuple):
    """Where one `"key": value` stands in the body."""

    key: str
    start: int
    value: int
    """Offset of the value's first byte."""
    end: int
    """Offset past the value's last byte."""


def members(body: bytes) -> list[Member]:
    """The top-level members in order, repeated keys included; raises SpliceError when the body is no JSON object.

    msgspec validates the body and hands out each value's text, so that nested values are stepped over, not scanned;
    only the earlier ones of repeated keys, whose text it drops, are.
    """
    try:
        texts = {key: bytes(text) for key, text in _top_level.decode(body).items()}
        return _walk(body, texts)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SpliceError(f"not a JSON object that can be spliced: {type(error).__name__}") from None


def elements(array: bytes) -> list[tuple[int, int]]:
    """Where each element of a JSON array begins and ends; raises SpliceError when the bytes are no array."""
    try:
        texts = [bytes(text) for text in _array.decode(array)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SpliceError(f"not a JSON array that can be spliced: {type(error).__name__}") from None
    found, position = [], 0
    for text in texts:
        # What stands before an element, space and a comma or the array's own bracket, begins no value that ends in time.
        start = array.index(text, position)
        found.append((start, start + len(text)))
        position = start + len(text)
    return found


def _walk(body: bytes, texts: dict[str, bytes]) -> list[Member]:
    found = []
    opening = _OPEN.match(body)
    position = opening.end() if opening else 0
    while match := _KEY.match(body, position):
        key = _unquote(match[1])
        start = match.end()
        end = start + len(texts[key])
        if not (body.startswith(texts[key], start) and _ENDED.match(body, end)):
            end = _value_end(body, start)
        found.append(Member(key, match.start(), start, end))
        comma = _COMMA.match(body, end)
        if comma is None:
            break
        position = comma.end()
    return found


def _unquote(token: bytes) -> str:
    return msgspec.json.decode(token, type=str) if b"\\" in token else token[1:-1].decode()


def _value_end(body: bytes, start: int) -> int:
    """Where the value that begins at `start` ends, in a body that is known to be valid."""
    scalar = _SCALAR.match(body, start)
    if scalar:
        return scalar.end()
    depth = 0
    for token in _BRACKET.finditer(body, start):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    raise SpliceError("a value has no end")


def replace_member(body: bytes, key: str, value: bytes) -> bytes:
    """Replace the value of `key` with the JSON text `value`; of repeated keys the last, the one that counts.

    Raises SpliceError when the body is no JSON object or has no such key."""
    for member in reversed(members(body)):
        if member.key == key:
            return body[: member.value] + value + body[member.end :]
    raise SpliceError(f"the object has no member {key!r}")


def add_member(body: bytes, key: str, value: bytes) -> bytes:
    """Append `"key":value` to a JSON object that does not have the key; raises SpliceError when it is no object."""
    inner = body.rstrip(b" \t\r\n")
    if not (inner.endswith(b"}") and body.lstrip(b" \t\r\n").startswith(b"{")):
        raise SpliceError("not a JSON object")
    inner = inner[:-1].rstrip(b" \t\r\n")
    comma = b"" if inner.lstrip(b" \t\r\n") == b"{" else b","
    return inner + comma + msgspec.json.encode(key) + b":" + value + body[len(inner) :]


def remove_member(body: bytes, key: str) -> bytes:
    """Remove every member named `key`, each with one comma; the body as it was when there is none.

    Raises SpliceError when the body is no JSON object."""
    all_members = members(body)
    pieces = []
    position = 0
    kept_before = False
    for place, member in enumerate(all_members):
        if member.key != key:
            kept_before = True
            continue
        last = place + 1 == len(all_members)
        start = all_members[place - 1].end if kept_before else member.start
        pieces.append(body[position:start])
        position = member.end if kept_before or last else all_members[place + 1].start
    return b"".join([*pieces, body[position:]])
