"""Unsigned LEB128: how a call row keeps its ordered list of content ids in a few dozen bytes."""

from __future__ import annotations

from collections.abc import Iterable


def pack(numbers: Iterable[int]) -> bytes:
    """Seven bits a byte, low bits first; numbers are 0 or more."""
    out = bytearray()
    for number in numbers:
        rest = number
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def unpack(data: bytes) -> list[int]:
    """The numbers that pack() wrote; an unfinished last number is dropped."""
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
