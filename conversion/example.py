"""One logged call as the conversion reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from router.decision import Endpoint
from wire.answer import Answer


@dataclass(frozen=True, slots=True)
class Example:
    """A call that the LLM answered well, with all that learning from it takes."""

    call_id: str
    session: str
    """Calls of one session never stand on both sides of a split."""
    started: int
    """Unix microseconds."""
    endpoint: Endpoint
    request: Mapping[str, Any]
    """The body, as JSON."""
    answer: Answer
    """What the LLM said."""
    model: str = ""
    """The model that answered."""
    label: str = ""
    """The agent's own name for the task (`x-understudy-task`), where it gave one."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    """Nano-dollars."""
