"""The endpoint seam, and what every endpoint needs to word an answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from serving.endpoints import tokens
from serving.endpoints.answer import Answer, Usage
from serving.endpoints.dialect import Dialect
from serving.endpoints.prompt import Prompt

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One or more answers to a prompt, with everything that its wording needs."""

    prompt: Prompt
    answers: tuple[Answer, ...]
    created: int
    """Unix time that the answer claims."""
    dialect: Dialect
    obfuscate: bool = False
    """Whether stream chunks are padded against traffic analysis, as the paid API does by default."""
    logprob: float = -0.01
    """Of every token, where they are asked for."""

    def id(self, prefix: str, length: int = 29, salt: str = "") -> str:
        """An id that follows from the request, `stream` and `stream_options` apart."""
        return prefix + tokens.identifier(f"{self.prompt.digest}/{prefix}/{salt}", length)

    @property
    def model(self) -> str:
        """The model name to answer with."""
        return self.dialect.model(self.prompt.model)

    @property
    def usage(self) -> Usage:
        """Recorded counts where there are any, else estimates."""
        first = self.answers[0]
        if len(self.answers) == 1 and first.usage is not None:
            return first.usage
        return estimated(self.prompt, self.answers)


class Endpoint(Protocol):
    """Reads one kind of body and words one kind of answer."""

    name: str

    def prompt(self, body: Body, choice: int = 0) -> Prompt:
        """The body in the words of chat completions; `choice` says which recorded answer is wanted.

        Raises ApiError for what makes no sense."""
        ...

    def count(self, body: Body) -> int:
        """How many answers are wanted."""
        ...

    def whole(self, reply: Reply) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        ...

    def events(self, reply: Reply) -> Iterator[bytes]:
        """The SSE events of a streamed answer, about one a token."""
        ...


def estimated(prompt: Prompt, answers: tuple[Answer, ...]) -> Usage:
    """Token counts by heuristics; a shared prefix past 1,024 tokens counts as cached, in steps of 128."""
    counts = [tokens.count_message(message) for message in prompt.messages]
    tools = sum(tokens.count_value(tool) for tool in prompt.tools)
    prefix = tools + sum(counts[:-1])
    cached = prefix // 128 * 128 if prefix >= 1024 else 0
    completion = sum(_completion(answer) for answer in answers)
    return Usage(3 + tools + sum(counts), completion, cached)


def _completion(answer: Answer) -> int:
    calls = sum(tokens.count(call.name) + tokens.count(call.arguments) + 6 for call in answer.tool_calls)
    return tokens.count(answer.content or "") + calls + 1


def digest(body: Body) -> str:
    """What makes two requests the same question: everything but `stream` and `stream_options`."""
    kept = {key: value for key, value in body.items() if key not in ("stream", "stream_options")}
    return hashlib.sha256(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)).hexdigest()


def data(value: Any) -> bytes:
    """One SSE event without a name."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


def named(kind: str, value: Any) -> bytes:
    """One SSE event with a name."""
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n"


def stops(value: Any) -> tuple[str, ...]:
    """The `stop` field as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value or ())


def number(value: Any) -> int | None:
    """An integer field, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
