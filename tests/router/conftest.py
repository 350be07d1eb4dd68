"""A way to write calls briefly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from router.decision import Endpoint, Query

MakeQuery = Callable[..., Query]


@pytest.fixture
def chat() -> MakeQuery:
    """Build a chat completion call: keyword arguments are members of its body."""

    def make(
        user: str = "Classify this ticket.",
        *,
        system: str = "",
        headers: Mapping[str, str] | None = None,
        key: str = "",
        size: int = 2000,
        endpoint: Endpoint = "chat.completions",
        **body: Any,
    ) -> Query:
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": user})
        return Query(
            endpoint, {"model": "gpt-4o-mini", "messages": messages, **body}, size, headers or {}, key
        )

    return make
