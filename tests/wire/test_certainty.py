"""How sure a model was: as sure as of its least sure token, and nothing where that is not told."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from wire.accumulate import final_body
from wire.certainty import asking, asks, certainty
from wire.shape import Endpoint


def token(logprob: Any) -> dict[str, Any]:
    return {"token": "x", "logprob": logprob, "bytes": [120], "top_logprobs": []}


def chat(*logprobs: Any, **choice: Any) -> dict[str, Any]:
    told = {"content": [token(each) for each in logprobs]}
    return {"choices": [{"index": 0, "message": {"content": "x"}, "logprobs": told} | choice]}


def completion(*logprobs: Any) -> dict[str, Any]:
    told = {"text_offset": [0], "token_logprobs": list(logprobs), "tokens": ["x"], "top_logprobs": [{}]}
    return {"choices": [{"index": 0, "text": "x", "logprobs": told}]}


@pytest.mark.parametrize(
    ("response", "sure"),
    [
        (chat(-0.1, math.log(0.25), 0.0), 0.25),
        (chat(0.0), 1.0),
        (chat(0), 1.0),
        (chat(1e-7), 1.0),  # rounding
        (chat(-9999.0, -0.1), 0.0),
        (chat(-math.inf), 0.0),
        (chat(-(10**400)), 0.0),
        (chat(logprobs={"content": None, "refusal": [token(math.log(0.5))]}), 0.5),
        ({"choices": [*chat(-0.1)["choices"], *chat(math.log(0.5))["choices"]]}, 0.5),
    ],
)
def test_the_least_sure_token_counts(response: dict[str, Any], sure: float) -> None:
    assert certainty("chat.completions", response) == pytest.approx(sure)


@pytest.mark.parametrize(
    "response",
    [
        {},
        {"choices": 3},
        {"choices": []},
        chat(),
        chat(logprobs=None),
        chat(logprobs=[1]),
        chat(logprobs={"content": 1}),
        chat(-0.1, None),
        chat(-0.1, "-0.2"),
        chat(-0.1, True),
        chat(-0.1, math.nan),
        chat(math.nan, -0.1),
        chat(-0.1, 0.5),
        chat(-0.1, math.inf),
        {"choices": [*chat(-0.1)["choices"], {"index": 1, "logprobs": None}]},
    ],
)
def test_what_is_not_told_is_not_guessed(response: dict[str, Any]) -> None:
    assert certainty("chat.completions", response) is None


def test_completions_tell_it_in_a_shape_of_their_own() -> None:
    assert certainty("completions", completion(-0.1, math.log(0.5))) == pytest.approx(0.5)
    assert certainty("completions", completion(None, -0.1)) is None


@pytest.mark.parametrize("endpoint", ["responses", "messages", "other"])
def test_other_endpoints_tell_none(endpoint: Endpoint) -> None:
    assert certainty(endpoint, chat(-0.1)) is None
    assert asking(endpoint, {"model": "m"}) == {"model": "m"}


@pytest.mark.parametrize(
    ("endpoint", "body", "asked"),
    [
        ("chat.completions", {}, True),
        ("chat.completions", {"logprobs": False}, True),
        ("chat.completions", {"logprobs": None, "top_logprobs": 0}, True),
        ("chat.completions", {"logprobs": True, "top_logprobs": 3}, True),
        ("completions", {}, 0),
        ("completions", {"logprobs": None}, 0),
        ("completions", {"logprobs": 2}, 2),
    ],
)
def test_they_are_asked_for_unless_the_request_does(
    endpoint: Endpoint, body: dict[str, Any], asked: object
) -> None:
    given = asking(endpoint, body)
    assert given == body | {"logprobs": asked}
    assert asks(endpoint, given)


def test_a_streams_tokens_add_up() -> None:
    """As vLLM cuts a tool call: tokens around it come in chunks without anything else."""
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "sort", "arguments": "{}"}}
    deltas: list[tuple[dict[str, Any], list[float] | None]] = [
        ({"role": "assistant", "content": ""}, None),
        ({}, [-0.01]),
        ({"content": None, "tool_calls": [call]}, [math.log(0.3)]),
        ({}, [-0.02, 0.0]),
    ]
    chunks = [
        {"index": 0, "delta": delta, "logprobs": told and {"content": [*map(token, told)]}}
        for delta, told in deltas
    ]
    data = b"".join(
        b"data: " + json.dumps({"id": "c", "choices": [chunk]}).encode() + b"\n\n" for chunk in chunks
    )
    body = final_body("chat.completions", "text/event-stream", data + b"data: [DONE]\n\n")
    assert body is not None
    assert len(body["choices"][0]["logprobs"]["content"]) == 4
    assert certainty("chat.completions", body) == pytest.approx(0.3)
