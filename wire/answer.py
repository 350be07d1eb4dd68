"""One view of an answer, whichever endpoint gave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wire.shape import Endpoint


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that the model asks for."""

    name: str
    arguments: str
    """JSON text, as the model wrote it (re-encoded for messages, where it arrives parsed)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said, in its first choice."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = ""
    """In OpenAI's words: `stop`, `length`, `tool_calls`, `content_filter`; empty when the answer was cut off."""
    refusal: str = ""


def answer_of(endpoint: Endpoint, body: Mapping[str, Any]) -> Answer:
    """Read a response body; what has the wrong type reads as empty."""
    raise NotImplementedError
