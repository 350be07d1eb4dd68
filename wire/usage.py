"""Token counts in disjoint buckets, so that a price times a bucket never counts a token twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wire.shape import Endpoint

_BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. The three input buckets are disjoint and sum to the prompt; reasoning is part of output."""

    input: int = 0
    """Prompt tokens at the full price: neither read from nor written to a cache."""
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Every token once."""
        return self.input + self.cached_input + self.cache_write + self.output


def read_usage(endpoint: Endpoint, body: Mapping[str, Any]) -> Usage | None:
    """The usage that a response body states; None when it states none, or one that cannot be true."""
    raise NotImplementedError


def estimate(endpoint: Endpoint, request: Mapping[str, Any], response: Mapping[str, Any]) -> Usage:
    """A guess for an answer without usage: four bytes of text to a token. Never recorded as measured."""
    raise NotImplementedError
