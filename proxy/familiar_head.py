"""A request head that came before on the same connection: what the parser read of it then holds again.

An agent sends the same lines with every call; only the length of the body differs. The template is made from a request
that the parser took apart, so that a head that fits it needs no parser: equal bytes read equally.
"""

from __future__ import annotations

import re
from typing import Final

from proxy.agent_headers import AgentHeaders

_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)\r\n", re.IGNORECASE)


class FamiliarHead:
    """The bytes before and after the length, and what they mean."""

    __slots__ = ("_after", "_before", "_digits_at", "headers", "method", "path")

    def __init__(self, before: bytes, after: bytes, method: str, path: bytes, headers: AgentHeaders) -> None:
        self._before = before
        self._after = after
        self._digits_at = len(before)
        self.method = method
        self.path = path
        self.headers = headers

    def body_of(self, data: bytes) -> bytes | None:
        """The body, where `data` is one whole request with this head; None where it is anything else."""
        if not data.startswith(self._before):
            return None
        digits_end = data.find(b"\r", self._digits_at)
        digits = data[self._digits_at : digits_end]
        if not digits.isdigit() or len(digits) > _LONGEST or not data.startswith(self._after, digits_end):
            return None
        start = digits_end + len(self._after)
        return data[start:] if len(data) - start == int(digits) else None


_LONGEST: Final = 12
"""Digits of a length; a longer number never fits what has arrived."""


def familiar_head(
    data: bytes, method: str, path: bytes, headers: AgentHeaders, length: int
) -> FamiliarHead | None:
    """The template of the request that `data` holds, whole and alone; None where it does not, or cannot be sure.

    The parser read `method`, `path`, `headers` (without content-length) and `length` of it."""
    end = data.find(b"\r\n\r\n") + 4
    found = _LENGTH.findall(data, 0, end)
    if end < 4 or len(data) - end != length or len(found) != 1 or int(found[0]) != length:
        return None
    # One line each for the request, for the length, for every header, and the empty one: the parser saw no others.
    if not data.count(b"\n", 0, end) == data.count(b"\r\n", 0, end) == len(headers.lines) + 3:
        return None
    digits = _LENGTH.search(data, 0, end)
    assert digits is not None
    return FamiliarHead(data[: digits.start(1)], data[digits.end(1) : end], method, path, headers)
