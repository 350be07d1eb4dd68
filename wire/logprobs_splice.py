"""Ask for the probabilities of tokens behind the agent's back, and take them out of the answer again.

`inject` adds `logprobs` to a request that did not ask; `without_logprobs` gives the answer the bytes that it would have had.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from wire.certainty import ASKING, asks
from wire.shape import Endpoint
from wire.splice import SpliceError, add_member, elements, members, replace_member
from wire.sse import Splitter, data_span


class _Choice(msgspec.Struct):
    """What tells a chunk that was sent for its probabilities alone."""

    delta: dict[str, Any] | None = None
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None
    token_ids: list[int] | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []


_chunks: Final = msgspec.json.Decoder(_Chunk)


def inject(endpoint: Endpoint, body: bytes, parsed: Mapping[str, Any]) -> bytes | None:
    """The request bytes with only `logprobs` added or changed; `parsed` is the same body, parsed.

    None when the request asks for them itself, or its endpoint has none. Raises SpliceError when it is no JSON object."""
    if endpoint not in ASKING or asks(endpoint, parsed):
        return None
    change = replace_member if "logprobs" in parsed else add_member
    return change(body, "logprobs", msgspec.json.encode(ASKING[endpoint]))


def without_logprobs(answer: bytes, *, streamed: bool) -> bytes:
    """A whole answer, JSON or events, with null for the `logprobs` of each choice, as vLLM says it unasked; every other
    byte as it was. Raises SpliceError where that cannot be done."""
    if not streamed:
        return _nulled(answer)
    splitter = Splitter(limit=len(answer))
    return b"".join([*map(_unasked, splitter.feed(answer)), splitter.rest])


def _unasked(block: bytes) -> bytes:
    """One SSE block without them; nothing of one that vLLM sends for them alone, such as for the tokens around a call."""
    if b'"logprobs"' not in block:
        return block
    span = data_span(block)
    if span is None:
        raise SpliceError("an event's data is not in one line")
    data = block[span[0] : span[1]]
    if _sent_for_them_alone(data):
        return b""
    return block[: span[0]] + _nulled(data) + block[span[1] :]


def _sent_for_them_alone(data: bytes) -> bool:
    try:
        choices = _chunks.decode(data).choices
    except (msgspec.DecodeError, RecursionError):
        return False
    return bool(choices) and all(
        choice.delta == {} and choice.logprobs and not (choice.finish_reason or choice.token_ids)
        for choice in choices
    )


def _nulled(body: bytes) -> bytes:
    held = next((member for member in reversed(members(body)) if member.key == "choices"), None)
    if held is None:
        return body
    pieces, position = [], 0
    for start, end in elements(body[held.value : held.end]):
        choice = slice(held.value + start, held.value + end)
        pieces += [body[position : choice.start], _null_in(body[choice])]
        position = choice.stop
    return b"".join([*pieces, body[position:]])


def _null_in(choice: bytes) -> bytes:
    given = any(member.key == "logprobs" for member in members(choice))
    return replace_member(choice, "logprobs", b"null") if given else choice
