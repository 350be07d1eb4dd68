"""Readers that turn any JSON value into the type asked for: a wrong type reads as empty, and nothing raises.

Requests and answers come from outside, so every reader of a parsed body goes through these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MAPPINGS: Final = (dict, Mapping)
"""Any mapping; dict stands first because asking for it is six times faster, and parsed JSON holds no other."""


def mapping(value: object) -> Mapping[str, Any]:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, _MAPPINGS) else {}


def sequence(value: object) -> list[Any]:
    """The value when it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The objects among the members of an array; none when the value is not an array."""
    return [item for item in value if isinstance(item, _MAPPINGS)] if isinstance(value, list) else []


def text(value: object) -> str:
    """The value when it is a string, else the empty string."""
    return value if isinstance(value, str) else ""


def count(value: object) -> int | None:
    """The value when it is a whole number from 0 up, else None (booleans are no numbers here)."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return None
