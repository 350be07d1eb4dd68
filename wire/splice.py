"""Change one top-level member of a JSON object and leave every other byte as it was."""

from __future__ import annotations


class SpliceError(ValueError):
    """The bytes are not a JSON object, or hold no such member."""


def replace_member(body: bytes, key: str, value: bytes) -> bytes:
    """Replace the value of `key` with the JSON text `value`; of repeated keys the last, the one that counts.

    Raises SpliceError when the body is no JSON object or has no such key."""
    raise NotImplementedError


def add_member(body: bytes, key: str, value: bytes) -> bytes:
    """Append `"key":value` to the object; raises SpliceError when the body is no JSON object."""
    raise NotImplementedError


def remove_member(body: bytes, key: str) -> bytes:
    """Remove every member named `key`, each with one comma; the body as it was when there is none."""
    raise NotImplementedError
