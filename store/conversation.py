"""Which calls belong together: a later call carries the conversation of an earlier one, so it passes its answer.

A conversation is a chain of atoms (who said what, who called which tool). The chain's keyed hash after an answer names
the point where that call ended; a request that passes the same point continues the same session. What clients add or
drop on the way (null fields, ids, empty lists, argument spacing) is no part of an atom, and neither are instructions,
because many agents write the time into them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import msgspec

from wire.tolerant import mapping, mappings, text

_MAX_POINTS: Final = 16
"""Earlier answers looked for: a conversation that goes on is found by its last few."""
_INSTRUCTIONS: Final = ("system", "developer")
_SIGNED_63: Final = (1 << 63) - 1
_sorted = msgspec.json.Encoder(order="deterministic")


class Atom(NamedTuple):
    """One thing that was said or done."""

    answer: bool
    """Whether the model said it."""
    digest: bytes


class Place(NamedTuple):
    """Where a call stands in its conversation."""

    behind: tuple[int, ...]
    """Points that it has passed, the latest first."""
    ahead: int | None
    """The point at which its answer ends; None when it answered nothing."""


class Chain:
    """Hashes conversations with a key, so that numbers on disk tell nothing about common texts."""

    def __init__(self, key: bytes) -> None:
        self._start = hashlib.blake2b(digest_size=8, key=key, person=b"point")
        self._key = key

    def number(self, data: bytes, purpose: bytes) -> int:
        """A positive 63-bit integer that stands for these bytes."""
        return _number(hashlib.blake2b(data, digest_size=8, key=self._key, person=purpose).digest())

    def place(self, turns: Sequence[Atom], answer: Sequence[Atom]) -> Place:
        """The points after each earlier answer, and the one after this."""
        state = self._start.copy()
        skipped = sum(is_answer for is_answer, _ in turns) - _MAX_POINTS
        behind = []
        for is_answer, digest in turns:
            state.update(digest)
            if is_answer:
                skipped -= 1
                if skipped < 0:
                    behind.append(_number(state.digest()))
        for _, digest in answer:
            state.update(digest)
        return Place(tuple(reversed(behind)), _number(state.digest()) if answer else None)


def read_turn(value: Any) -> tuple[Atom, ...]:
    """The atoms of one message or input item, of any of the endpoints' shapes."""
    if isinstance(value, str):
        return tuple(_text("user", value))
    return tuple(_item(mapping(value)))


def read_answer(body: dict[str, Any]) -> tuple[Atom, ...]:
    """The atoms of an answer: the first choice, the output items or the content blocks."""
    for choice in mappings(body.get("choices")):
        return tuple(_item(mapping(choice.get("message"))))
    if isinstance(body.get("output"), list):
        return tuple(atom for item in mappings(body["output"]) for atom in _item(item))
    if "content" in body:
        return tuple(_item({"role": "assistant", "content": body["content"]}))
    return ()


def _item(item: Mapping[str, Any]) -> Iterator[Atom]:
    kind = item.get("type")
    if kind in ("function_call", "custom_tool_call"):
        yield _call(item.get("name"), item.get("arguments", item.get("input")))
    elif kind in ("function_call_output", "custom_tool_call_output"):
        yield from _content("tool", item.get("output"))
    elif kind is None or kind == "message":
        yield from _message(item)
    elif kind != "reasoning":
        yield _atom(text(kind), "item", {key: item[key] for key in item if key not in ("id", "status")})


def _message(message: Mapping[str, Any]) -> Iterator[Atom]:
    role = text(message.get("role"))
    if role in _INSTRUCTIONS:
        return
    yield from _content(role, message.get("content"))
    yield from _content(role, message.get("refusal"))
    for call in mappings(message.get("tool_calls")):
        yield _function(mapping(call.get("function")))
    if message.get("function_call"):
        yield _function(mapping(message["function_call"]))


def _function(function: Mapping[str, Any]) -> Atom:
    return _call(function.get("name"), function.get("arguments"))


def _content(role: str, content: Any) -> Iterator[Atom]:
    if isinstance(content, str):
        yield from _text(role, content)
        return
    for block in mappings(content):
        kind = block.get("type")
        if kind == "tool_use":
            yield _call(block.get("name"), block.get("input"))
        elif kind == "tool_result":
            yield from _content("tool", block.get("content"))
        elif isinstance(said := block.get("text") or block.get("refusal"), str):
            yield from _text(role, said)
        elif kind not in ("thinking", "redacted_thinking"):
            yield _atom(role, "block", block)


def _text(role: str, value: str) -> Iterator[Atom]:
    if value:
        yield _atom(role, "text", value)


def _call(name: Any, arguments: Any) -> Atom:
    if isinstance(arguments, str):
        with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
            arguments = msgspec.json.decode(arguments)
    return _atom("assistant", "call", [name, arguments])


def _atom(role: str, kind: str, value: Any) -> Atom:
    data = _sorted.encode([role, kind, value])
    return Atom(role == "assistant", hashlib.blake2b(data, digest_size=16).digest())


def _number(digest: bytes) -> int:
    return int.from_bytes(digest, "big") & _SIGNED_63
