"""Text in token-like pieces: near enough to a real tokenizer for streaming, counting and billing."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping
from typing import Any

_PIECE = re.compile(r" ?[^\W\d_]{1,7}| ?\d{1,3}|[^\w\s]+|_+|\s+|.", re.DOTALL)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_PER_MESSAGE = 4
"""Tokens that a chat template adds around each message."""


def pieces(text: str) -> list[str]:
    """The text in pieces that join to it again."""
    return _PIECE.findall(text)


def fragments(text: str, salt: str) -> list[str]:
    """The text cut at odd places (as tool-call arguments arrive), the same way for the same salt."""
    rng = random.Random(f"{salt}/{text}")  # noqa: S311  (chunk sizes, not secrets)
    found, start = [], 0
    while start < len(text):
        end = start + rng.choice((1, 1, 2, 3, 4, 5, 7))
        found.append(text[start:end])
        start = end
    return found


def count(text: str) -> int:
    """Tokens of a text."""
    return len(pieces(text))


def count_value(value: Any) -> int:
    """Tokens of everything textual inside a JSON value: strings by their pieces, images by a flat fee."""
    if isinstance(value, str):
        return 85 if value.startswith("data:") else count(value)
    if isinstance(value, Mapping):
        return sum(count(str(key)) + count_value(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return sum(count_value(item) for item in value)
    return 1


def count_message(message: Mapping[str, Any]) -> int:
    """Tokens of one chat message."""
    return _PER_MESSAGE + sum(count_value(value) for key, value in message.items() if key != "role")


def identifier(seed: str, length: int) -> str:
    """Letters and digits that follow from the seed."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big")
    letters = []
    for _ in range(length):
        number, rest = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[rest])
    return "".join(letters)
