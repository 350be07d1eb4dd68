"""Building event streams and reading them back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson
import pytest

from wire.accumulate import Accumulator, accumulator_for
from wire.shape import Endpoint
from wire.sse import Event

Feed = Callable[[Endpoint, Iterable[Any]], Accumulator]


@pytest.fixture(scope="session")
def feed() -> Feed:
    """Feed objects (or raw strings, such as `[DONE]`) to a fresh accumulator and return it."""

    def run(endpoint: Endpoint, chunks: Iterable[Any]) -> Accumulator:
        accumulator = accumulator_for(endpoint)
        for chunk in chunks:
            data = chunk.encode() if isinstance(chunk, str) else orjson.dumps(chunk)
            accumulator.feed(Event("message", data))
        return accumulator

    return run
