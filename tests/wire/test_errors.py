"""The SDK must find what we say where it looks for it."""

from __future__ import annotations

import httpx2
import openai
import orjson
import pytest
from openai import Stream
from openai.types.chat import ChatCompletionChunk

from wire.accumulate import accumulator_for
from wire.errors import anthropic_envelope, envelope, error_body, sse_error
from wire.shape import Endpoint
from wire.sse import Splitter, parse


def test_the_envelope_has_all_four_members() -> None:
    assert orjson.loads(envelope("no", type="invalid_request_error", param="model", code="x")) == {
        "error": {"message": "no", "type": "invalid_request_error", "param": "model", "code": "x"}
    }
    assert orjson.loads(envelope("no", type="t"))["error"] == {
        "message": "no",
        "type": "t",
        "param": None,
        "code": None,
    }


@pytest.mark.parametrize(
    ("given", "sent"), [("overloaded_error", "overloaded_error"), ("upstream_error", "api_error")]
)
def test_anthropic_types_are_those_it_knows(given: str, sent: str) -> None:
    assert orjson.loads(anthropic_envelope("no", type=given)) == {
        "type": "error",
        "error": {"type": sent, "message": "no"},
    }


def test_each_endpoint_has_its_own_body() -> None:
    assert orjson.loads(error_body("messages", "no", type="api_error"))["type"] == "error"
    assert orjson.loads(error_body("other", "no", type="api_error", code="c"))["error"]["code"] == "c"


@pytest.mark.parametrize("endpoint", ["chat.completions", "completions", "responses", "messages"])
def test_an_error_event_is_one_block_that_reads_as_an_error(endpoint: Endpoint) -> None:
    block = sse_error(endpoint, "upstream\nbroke", type="api_error")
    splitter = Splitter()
    assert splitter.feed(block) == [block]
    accumulator = accumulator_for(endpoint)
    accumulator.feed(parse(block))
    assert accumulator.error is not None
    assert accumulator.error["message"] == "upstream\nbroke"


def test_the_sdk_raises_an_error_event() -> None:
    answer = httpx2.Response(
        200,
        headers={"content-type": "text/event-stream"},
        content=sse_error("chat.completions", "upstream broke", type="api_error"),
        request=httpx2.Request("POST", "http://127.0.0.1/v1/chat/completions"),
    )
    client = openai.OpenAI(api_key="none", base_url="http://127.0.0.1/v1")
    stream: Stream[ChatCompletionChunk] = Stream(cast_to=ChatCompletionChunk, response=answer, client=client)
    with pytest.raises(openai.APIError, match="upstream broke"):
        list(stream)
