"""A request to any routable endpoint, in one form."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request to any routable endpoint, in the words of chat completions."""

    body: Mapping[str, Any]
    """The parsed request as it came."""
    model: str
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    """The `function` objects: name, description, parameters."""
    tool_choice: Any = None
    schema: Mapping[str, Any] | None = None
    """The JSON schema that the answer has to follow, when one was given."""
    json_mode: bool = False
    temperature: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    digest: str = ""
    """Hex digest of the request without `stream` and `stream_options`."""
    choice: int = 0
    """Which of several recorded answers is wanted (`x-trace-index`)."""

    def text(self, role: str) -> str:
        """The joined text of every message of a role (`developer` counts as `system`)."""
        roles = ("system", "developer") if role == "system" else (role,)
        return "\n".join(text_of(m) for m in self.messages if m.get("role") in roles)

    @property
    def last(self) -> Mapping[str, Any]:
        """The last message; empty when there is none."""
        return self.messages[-1] if self.messages else {}

    def rng(self, salt: object = "") -> random.Random:
        """Randomness that depends on the request and the salt alone."""
        return random.Random(f"{self.digest}/{self.seed}/{salt}")  # noqa: S311  (wording, not secrets)


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, its content parts joined."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
