"""Logs written briefly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest

from conversion.example import Example
from wire.answer import Answer, ToolCall

MakeExample = Callable[..., Example]


@pytest.fixture
def call() -> MakeExample:
    """Build an example: a system prompt, what the user says, what the model answers."""
    numbers = count()

    def make(
        system: str = "",
        user: str | Sequence[dict[str, Any]] = "Hello",
        answer: str | Answer = "Well.\nIt depends.",
        *,
        session: str = "",
        **body: Any,
    ) -> Example:
        number = next(numbers)
        messages = [{"role": "system", "content": system}] if system else []
        messages += [{"role": "user", "content": user}] if isinstance(user, str) else user
        return Example(
            call_id=f"c{number}",
            session=session or f"s{number}",
            started=number,
            endpoint="chat.completions",
            request={"messages": messages, **body},
            answer=answer if isinstance(answer, Answer) else Answer(answer, finish_reason="stop"),
        )

    return make


@pytest.fixture
def calling() -> Callable[[str, str], Answer]:
    """Build an answer that calls a tool."""

    def make(name: str, arguments: str = "{}") -> Answer:
        return Answer(tool_calls=(ToolCall(name, arguments),), finish_reason="tool_calls")

    return make
