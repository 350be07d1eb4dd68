"""What a model says to a prompt, before an endpoint words it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from serving.endpoints import tokens
from serving.endpoints.prompt import Prompt


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
