"""What answers: a Prompt goes in, an Answer comes out."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from simulator import tokens


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


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One function call; `arguments` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts; `cached` is the part of `prompt` read from the prompt cache."""

    prompt: int
    completion: int
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: text, tool calls or both."""

    content: str | None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    usage: Usage | None = None
    """Recorded counts; None lets the endpoint estimate them."""


class Brain(Protocol):
    """Answers prompts; raises ApiError for one that it must refuse."""

    def answer(self, prompt: Prompt, index: int = 0) -> Answer:
        """The answer number `index` (of `n`) to a prompt."""
        ...


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, its content parts joined."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)


def limited(answer: Answer, prompt: Prompt) -> Answer:
    """The answer cut at a stop sequence and at the token limit, as a sampler would."""
    content = answer.content
    if content is None or answer.tool_calls:
        return answer
    ends = [position for stop in prompt.stop if stop and (position := content.find(stop)) >= 0]
    if ends:
        content = content[: min(ends)]
    pieces = tokens.pieces(content)
    if prompt.max_tokens is not None and len(pieces) > prompt.max_tokens:
        return replace(answer, content="".join(pieces[: prompt.max_tokens]), finish_reason="length")
    return replace(answer, content=content)


def tool_calls(prompt: Prompt, *calls: tuple[str, str], index: int = 0) -> Answer:
    """An answer that calls tools, given as (name, arguments JSON); ids follow from the request."""
    made = tuple(
        ToolCall(f"call_{tokens.identifier(f'{prompt.digest}/{index}/{n}', 24)}", name, arguments)
        for n, (name, arguments) in enumerate(calls)
    )
    return Answer(None, made, "tool_calls")
