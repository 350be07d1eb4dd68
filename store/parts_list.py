"""The contents of a call, in order, in a few dozen bytes.

Ids are written as LEB128: templates are old and have small ids, and what is said is mostly new, so an id that lies at
or above the largest one so far is written as the distance to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, slots=True)
class PartsList:
    """The circumstances first, then the request's parts, then the response's."""

    request: int
    """How many of the ids belong to the request."""
    counts: Sequence[int]
    """Lengths of the lists in the bodies, in order."""
    ids: Sequence[int]


def pack(parts: PartsList) -> bytes:
    """Serialise."""
    out = bytearray()
    for number in (parts.request, len(parts.counts), *parts.counts):
        _append(out, number)
    largest = 0
    for number in parts.ids:
        if number >= largest:
            code, largest = number - largest << 1 | 1, number
        else:
            code = number << 1
        if code < 0x80:  # most are, and a call has dozens
            out.append(code)
        elif code < 0x4000:
            out.append(code & 0x7F | 0x80)
            out.append(code >> 7)
        else:
            _append(out, code)
    return bytes(out)


def unpack(data: bytes) -> PartsList:
    """Read what pack() wrote."""
    numbers = list(map(_number, _split(data)))
    request, counted = numbers[0], numbers[1]
    return PartsList(request, numbers[2 : 2 + counted], _ids(numbers[2 + counted :]))


def request_of(data: bytes) -> PartsList:
    """The same without the response: a packed list is read no further than its request's last part."""
    written = _split(data)
    request, counted = _number(written[0]), _number(written[1])
    counts = list(map(_number, written[2 : 2 + counted]))
    # Besides the request's parts, the circumstances.
    return PartsList(request, counts, _ids(map(_number, written[2 + counted : 3 + counted + request])))


def _append(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


_split: Final = re.compile(rb"[\x80-\xff]*[\x00-\x7f]").findall


@lru_cache(maxsize=65_536)
def _number(written: bytes) -> int:
    """One number; a few are in nearly every list."""
    number = 0
    for byte in reversed(written):
        number = number << 7 | byte & 0x7F
    return number


def _ids(numbers: Iterable[int]) -> list[int]:
    ids = []
    largest = 0
    for number in numbers:
        if number & 1:
            largest += number >> 1
            ids.append(largest)
        else:
            ids.append(number >> 1)
    return ids
