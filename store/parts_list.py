"""The contents of a call, in order, in a few dozen bytes.

Ids are written as LEB128: templates are old and have small ids, and what is said is mostly new, so an id that lies at
or above the largest one so far is written as the distance to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
    numbers = _numbers(data)
    request, counted = numbers[0], numbers[1]
    return PartsList(request, numbers[2 : 2 + counted], _ids(numbers[2 + counted :]))


def request_of(data: bytes) -> PartsList:
    """The same without the response: a packed list is read no further than its request's last part."""
    numbers: list[int] = []
    number = shift = 0
    wanted = 2
    for byte in data:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            continue
        numbers.append(number)
        number = shift = 0
        if len(numbers) == wanted:
            if wanted > 2:
                break
            wanted = 3 + numbers[1] + numbers[0]  # both heads, the counts, the circumstances and the request
    counted = numbers[1]
    return PartsList(numbers[0], numbers[2 : 2 + counted], _ids(numbers[2 + counted :]))


def _append(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _ids(numbers: Sequence[int]) -> list[int]:
    ids = []
    largest = 0
    for number in numbers:
        if number & 1:
            largest += number >> 1
            ids.append(largest)
        else:
            ids.append(number >> 1)
    return ids


def _numbers(data: bytes) -> list[int]:
    numbers = []
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
        else:
            numbers.append(number)
            number = shift = 0
    return numbers
