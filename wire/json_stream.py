"""What every stream of JSON events has in common: the end mark, garbage, errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import orjson

from wire.sse import Event


class JsonStream(ABC):
    """Reads events as JSON objects and hands them on; see `accumulate.Accumulator` for the attributes."""

    def __init__(self) -> None:
        self.done = False
        self.error: dict[str, Any] | None = None
        self.has_content = False
        self.malformed = 0

    def feed(self, event: Event) -> None:
        """Take one event; what is no JSON object is counted as malformed."""
        if not event.data:
            return
        if event.data == b"[DONE]":
            self.done = True
            return
        try:
            data = orjson.loads(event.data)
        except orjson.JSONDecodeError:
            self.malformed += 1
            return
        if not isinstance(data, dict):
            self.malformed += 1
        elif (error := self.error_in(data)) is not None:
            self.error = error
        else:
            self.take(data)

    def error_in(self, data: Mapping[str, Any]) -> dict[str, Any] | None:
        """The error that an event carries, if it is one."""
        error = data.get("error")
        if isinstance(error, dict):
            return error
        return {"message": error} if isinstance(error, str) and error else None

    @abstractmethod
    def take(self, data: Mapping[str, Any]) -> None:
        """Add one event's object."""

    @abstractmethod
    def body(self) -> dict[str, Any] | None:
        """The answer so far."""
