"""A completions stream gives back its texts, choice by choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openai.types import Completion

from wire.accumulate import Accumulator


def chunk(text: str, index: int = 0, finish: str | None = None, logprobs: Any = None) -> dict[str, Any]:
    choice = {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}
    return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}


def logprobs(token: str, offset: int) -> dict[str, Any]:
    return {
        "tokens": [token],
        "token_logprobs": [-0.5],
        "top_logprobs": [{token: -0.5}],
        "text_offset": [offset],
    }


def test_texts_and_logprobs_are_joined(feed: Callable[..., Accumulator]) -> None:
    chunks = [
        chunk("He", logprobs=logprobs("He", 0)),
        chunk("other", index=1),
        chunk("y", logprobs=logprobs("y", 2)),
        chunk("", finish="stop"),
        chunk("", index=1, finish="length"),
        "[DONE]",
    ]
    accumulator = feed("completions", chunks)
    body = Completion.model_validate(accumulator.body())
    assert [(item.index, item.text, item.finish_reason) for item in body.choices] == [
        (0, "Hey", "stop"),
        (1, "other", "length"),
    ]
    joined = body.choices[0].logprobs
    assert joined is not None
    assert (joined.tokens, joined.text_offset) == (["He", "y"], [0, 2])
    assert joined.top_logprobs == [{"He": -0.5}, {"y": -0.5}]
    assert accumulator.done
    assert accumulator.has_content


def test_output_begins_with_the_first_token(feed: Callable[..., Accumulator]) -> None:
    assert not feed("completions", [chunk("")]).has_content
    assert feed("completions", [chunk("a")]).has_content
