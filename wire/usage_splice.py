"""Ask a stream for its token usage behind the agent's back, and take the answer out again.

`inject` adds `stream_options.include_usage` to a request that did not ask; `UsageSplicer` removes from the stream
what that added, so that the agent receives the bytes of the stream it asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from wire.splice import SpliceError, add_member, members, remove_member, replace_member
from wire.sse import data_span, parse

_ASKING: Final = b'{"include_usage":true}'
_NULL_USAGE: Final = re.compile(rb'(?<![ \t]),[ \t]*+"usage"[ \t]*+:[ \t]*+null')
"""Inside a string the quotes would be escaped, so this matches members only."""


class _Chunk(msgspec.Struct):
    """The two members of a chunk that tell whether it is the one that carries the usage."""

    choices: list[Any] | None = None
    usage: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET


_chunks: Final = msgspec.json.Decoder(_Chunk)


def inject(body: bytes, parsed: Mapping[str, Any]) -> bytes | None:
    """The request bytes with only `stream_options.include_usage: true` added; `parsed` is the same body, parsed.

    None when the request is no stream, asks for usage itself, or has a `stream_options` that is no object."""
    if parsed.get("stream") is not True:
        return None
    try:
        if "stream_options" not in parsed:
            return add_member(body, "stream_options", _ASKING)
        options = parsed["stream_options"]
        if options is None:
            return replace_member(body, "stream_options", _ASKING)
        if isinstance(options, dict) and options.get("include_usage", False) in (False, None):
            return _ask_in_options(body, options)
    except SpliceError:
        return None
    return None


def _ask_in_options(body: bytes, options: Mapping[str, Any]) -> bytes:
    held = next(member for member in reversed(members(body)) if member.key == "stream_options")
    text = body[held.value : held.end]
    change = replace_member if "include_usage" in options else add_member
    return body[: held.value] + change(text, "include_usage", b"true") + body[held.end :]


class UsageSplicer:
    """Takes the effects of `include_usage` out of a chat or completions stream, block by block.

    Servers that were asked for usage send one chunk more, with no choices, and a null `usage` in every other chunk. A
    chunk whose JSON is spread over several data lines (no known server writes one) keeps its null.
    """

    def __init__(self) -> None:
        self.usage_block = b""
        """The SSE block of the removed usage chunk; empty until it has come."""

    def feed(self, block: bytes) -> bytes:
        """What the agent shall see of one complete SSE block: the block, a part of it, or nothing."""
        if b'"usage"' not in block:
            return block
        try:
            chunk = _chunks.decode(parse(block).data)
        except (msgspec.DecodeError, RecursionError):
            return block
        if chunk.usage is None:
            return _without_null_usage(block)
        if chunk.usage is not msgspec.UNSET and chunk.choices == []:
            self.usage_block = block
            return b""
        return block


def _without_null_usage(block: bytes) -> bytes:
    """The block without the null `usage` that its chunk is known to have at the top level."""
    if block.count(b'"usage"') == 1 and (match := _NULL_USAGE.search(block)):
        return block[: match.start()] + block[match.end() :]
    span = data_span(block)
    if span is None:
        return block
    start, end = span
    try:
        return block[:start] + remove_member(block[start:end], "usage") + block[end:]
    except SpliceError:
        return block
