"""Ask a stream for its token usage behind the agent's back, and take the answer out again.

`inject` adds `stream_options.include_usage` to a request that did not ask; `UsageSplicer` removes from the stream
what that added, so that the agent receives the bytes of the stream it asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def inject(body: bytes, parsed: Mapping[str, Any]) -> bytes | None:
    """The request bytes with only `stream_options.include_usage: true` added; `parsed` is the same body, parsed.

    None when the request is no stream, asks for usage itself, or has a `stream_options` that is no object."""
    raise NotImplementedError


class UsageSplicer:
    """Takes the effects of `include_usage` out of a chat or completions stream, block by block."""

    usage_block: bytes = b""
    """The SSE block of the removed usage chunk; empty until it has come."""

    def feed(self, block: bytes) -> bytes:
        """What the agent shall see of one complete SSE block: the block, a part of it, or nothing."""
        raise NotImplementedError
