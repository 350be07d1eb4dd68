"""POST /v1/completions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serving.endpoints import tokens
from serving.endpoints.base import Body, Reply, data, digest, number, stops
from serving.endpoints.prompt import Prompt


class Completions:
    """Text completions, whole and streamed."""

    name = "completions"

    def prompt(self, body: Body, choice: int = 0) -> Prompt:
        """The text as one user message."""
        text = body["prompt"] if isinstance(body["prompt"], str) else "\n".join(map(str, body["prompt"]))
        return Prompt(
            body=body,
            model=body["model"],
            messages=({"role": "user", "content": text},),
            temperature=body.get("temperature"),
            seed=number(body.get("seed")),
            max_tokens=number(body.get("max_tokens")) or 256,
            stop=stops(body.get("stop")),
            digest=digest(body),
            choice=choice,
        )

    def count(self, body: Body) -> int:
        """The `n` of the request."""
        return number(body.get("n")) or 1

    def whole(self, reply: Reply) -> dict[str, Any]:
        """A `text_completion`."""
        choices = [
            _choice(index, answer.content or "", answer.finish_reason)
            for index, answer in enumerate(reply.answers)
        ]
        usage = reply.dialect.usage(reply.usage)
        return _head(reply) | {"choices": choices, "usage": usage} | reply.dialect.tail()

    def events(self, reply: Reply) -> Iterator[bytes]:
        """`text_completion` chunks, usage if asked for, `[DONE]`."""
        asked = bool((reply.prompt.body.get("stream_options") or {}).get("include_usage"))
        head = _head(reply)
        null_usage = {"usage": None} if asked and reply.dialect.null_usage() else {}
        for index, answer in enumerate(reply.answers):
            for piece in tokens.pieces(answer.content or ""):
                yield data(head | {"choices": [_choice(index, piece, None)]} | null_usage)
            yield data(head | {"choices": [_choice(index, "", answer.finish_reason)]} | null_usage)
        if asked:
            yield data(head | {"choices": [], "usage": reply.dialect.usage(reply.usage)})
        yield b"data: [DONE]\n\n"


def _head(reply: Reply) -> dict[str, Any]:
    head = {"id": reply.id("cmpl-"), "object": "text_completion", "created": reply.created}
    return head | {"model": reply.model} | reply.dialect.envelope(stream=True)


def _choice(index: int, text: str, finish: str | None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}
