"""Call ids: UUIDv7, so that their order is the order of time, and ranges of ids are ranges of time."""

from __future__ import annotations

import uuid
from typing import Final

_MILLISECONDS_A_DAY: Final = 86_400_000


def show(call_id: bytes) -> str:
    """The id as people and headers write it."""
    return str(uuid.UUID(bytes=call_id))


def parse(text: str) -> bytes | None:
    """The 16 bytes of an id as it is shown, dashes optional; None when it is none."""
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        return None


def floor(microseconds: int) -> bytes:
    """The smallest id that a call which began at this Unix time may have."""
    return max(0, microseconds // 1000).to_bytes(6, "big") + bytes(10)


def day(call_id: bytes) -> int:
    """The day of a call, counted from 1970."""
    return int.from_bytes(call_id[:6], "big") // _MILLISECONDS_A_DAY
