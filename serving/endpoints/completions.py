"""POST /v1/completions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
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
            reply.dialect.choice(
                _choice(
                    index,
                    answer.content or "",
                    answer.finish_reason,
                    _logprobs(reply, tokens.pieces(answer.content or "")),
                )
            )
            for index, answer in enumerate(reply.answers)
        ]
        tail = reply.dialect.tail(reply.dialect.usage(reply.usage), chat=False)
        return _head(reply) | {"choices": choices} | tail

    def events(self, reply: Reply) -> Iterator[bytes]:
        """`text_completion` chunks, usage if asked for, `[DONE]`."""
        asked = bool((reply.prompt.body.get("stream_options") or {}).get("include_usage"))
        head = _head(reply)
        null_usage = {"usage": None} if asked and reply.dialect.null_usage() else {}
        for fields in reply.dialect.chunks(_choices(reply), chat=False, usage_follows=asked):
            yield data(head | fields | null_usage)
        if asked:
            usage = reply.dialect.usage(reply.usage, stream=True)
            yield data(head | reply.dialect.last_chunk(usage))
        yield b"data: [DONE]\n\n"


def _choices(reply: Reply) -> Iterator[dict[str, Any]]:
    for index, answer in enumerate(reply.answers):
        offset = 0
        for piece in tokens.pieces(answer.content or ""):
            yield _choice(index, piece, None, _logprobs(reply, [piece], offset))
            offset += len(piece)
        yield _choice(index, "", answer.finish_reason)


def _head(reply: Reply) -> dict[str, Any]:
    head = {"id": reply.id("cmpl-"), "object": "text_completion", "created": reply.created}
    return head | {"model": reply.model} | reply.dialect.envelope(stream=True)


def _choice(
    index: int, text: str, finish: str | None, logprobs: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish}


def _logprobs(reply: Reply, pieces: list[str], offset: int = 0) -> dict[str, Any] | None:
    """Of the tokens said, each the likeliest; `offset` is where in the text they begin."""
    if reply.prompt.body.get("logprobs") is None:
        return None
    return {
        "text_offset": list(accumulate(map(len, pieces[:-1]), initial=offset)) if pieces else [],
        "token_logprobs": [reply.logprob] * len(pieces),
        "tokens": pieces,
        "top_logprobs": [{piece: reply.logprob} for piece in pieces],
    }
