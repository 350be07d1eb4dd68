"""What the agent did not ask for is not in what it receives, and nothing else is changed."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.logprobs_splice import inject, without_logprobs
from wire.shape import Endpoint
from wire.splice import SpliceError

BRIEF = settings(max_examples=60, deadline=None)
TEXTS = st.text(max_size=12) | st.sampled_from(
    ['"logprobs":null', ',"logprobs":{', '{"choices":[]}', "\n\ndata: ", '\\"logprobs\\"', "]}", '"']
)
STYLES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")])
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
TOLD: dict[str, Any] = {
    "content": [{"token": "]}", "logprob": -0.25, "bytes": [1], "top_logprobs": []}],
    "refusal": None,
}


def choice(text: str, index: int, logprobs: object, **more: Any) -> dict[str, Any]:
    """With `logprobs` in the middle, and once more in the message, where it is the model's own text."""
    message = {"role": "assistant", "content": text, "logprobs": "mine"}
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": "stop"} | more


@BRIEF
@given(st.lists(TEXTS, min_size=1, max_size=3), STYLES, st.booleans())
def test_a_whole_answer_is_as_it_would_have_been(
    texts: list[str], style: tuple[str, str], plain: bool
) -> None:
    def answer(logprobs: object) -> bytes:
        body = {
            "id": texts[0],
            "choices": [choice(text, index, logprobs) for index, text in enumerate(texts)],
            "logprobs": 1,
            "usage": {"total_tokens": 3},
        }
        return json.dumps(body, separators=style, ensure_ascii=plain).encode() + b"\n"

    assert without_logprobs(answer(TOLD), streamed=False) == answer(None)


@BRIEF
@given(st.lists(TEXTS, max_size=4), STYLES, ENDS)
def test_a_stream_is_as_it_would_have_been(texts: list[str], style: tuple[str, str], end: bytes) -> None:
    def block(chunk: dict[str, Any]) -> bytes:
        return b"data: " + json.dumps(chunk, separators=style).encode() + end + end

    def said(logprobs: object, delta: dict[str, Any], finish: str | None = None) -> bytes:
        held = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish, "token_ids": None}
        return block({"id": "c", "choices": [held]})

    def stream(logprobs: Any) -> bytes:
        alone = said(logprobs, {}) if logprobs else b""
        pieces = [said(logprobs, {"content": text}) for text in texts]
        opening, ending = said(None, {"role": "assistant", "content": ""}), said(logprobs, {}, "stop")
        usage = block({"id": "c", "choices": [], "usage": {"total_tokens": 3}})
        done = b": comment" + end + end + b"data: [DONE]" + end + end
        return b"".join([opening, alone, alone, *pieces, alone, ending, usage, done])

    assert without_logprobs(stream(TOLD), streamed=True) == stream(None)


def test_a_tool_call_as_vllm_streams_it() -> None:
    """Pieces of what vLLM 0.32.0 sent with its `hermes` parser, unasked and asked."""
    head = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
    told = b'{"content":[{"token":"<tool_call>","logprob":-0.005474219098687172,"bytes":[60],"top_logprobs":[]}]}'
    tail = b',"finish_reason":null,"token_ids":null}]}\n\n'
    named = b'{"content":null,"tool_calls":[{"id":"t","type":"function","index":0,"function":{"name":"credit_order"}}]}'
    last = (
        b',"finish_reason":"tool_calls","stop_reason":null,"token_ids":null}],"system_fingerprint":"v"}\n\n'
    )
    opening = (
        head
        + b'{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_text":null}\n\n'
    )
    unasked = opening + head + named + b',"logprobs":null' + tail + head + b'{},"logprobs":null' + last
    asked = opening + (head + b'{},"logprobs":' + told + tail) * 2
    asked += head + named + b',"logprobs":' + told + tail + head + b'{},"logprobs":' + told + tail
    asked += head + b'{},"logprobs":' + told + last
    done = b"data: [DONE]\n\n"
    assert without_logprobs(asked + done, streamed=True) == unasked + done


def test_a_chunk_that_has_something_else_is_kept() -> None:
    held = {"index": 0, "delta": {}, "logprobs": TOLD, "finish_reason": None, "token_ids": [7]}
    data = b"data: " + orjson.dumps({"choices": [held]}) + b"\n\n"
    kept = orjson.loads(without_logprobs(data, streamed=True).removeprefix(b"data: "))
    assert kept == {"choices": [held | {"logprobs": None}]}


@pytest.mark.parametrize(
    ("answer", "streamed"),
    [
        (b"[1]", False),
        (b'{"choices":{"logprobs":1}}', False),
        (b'{"choices":[3]}', False),
        (b'data: {"choices":\ndata: [{"logprobs":{}}]}\n\n', True),
        (b'data: {"logprobs"\n\n', True),
    ],
)
def test_what_cannot_be_taken_out_is_told(answer: bytes, streamed: bool) -> None:
    with pytest.raises(SpliceError):
        without_logprobs(answer, streamed=streamed)


def test_nothing_to_take_out() -> None:
    for body in (b"{}", b'{"choices":[]}', b'{"choices":[{"index":0}]}'):
        assert without_logprobs(body, streamed=False) == body
    assert without_logprobs(b"", streamed=True) == b""
    assert without_logprobs(b"data: {}\n\ndata: half", streamed=True) == b"data: {}\n\ndata: half"


@pytest.mark.parametrize(
    ("endpoint", "body", "sent"),
    [
        ("chat.completions", b'{ "model" : "m"\n}', b'{ "model" : "m","logprobs":true\n}'),
        ("chat.completions", b'{"logprobs": null, "x": 1e2}', b'{"logprobs": true, "x": 1e2}'),
        ("chat.completions", b'{"logprobs":false}', b'{"logprobs":true}'),
        ("chat.completions", b'{"logprobs":true,"top_logprobs":2}', None),
        ("completions", b'{"prompt":"x"}', b'{"prompt":"x","logprobs":0}'),
        ("completions", b'{"prompt":"x","logprobs":0}', None),
        ("responses", b'{"input":"x"}', None),
        ("messages", b'{"messages":[]}', None),
    ],
)
def test_only_that_is_added_to_the_request(endpoint: Endpoint, body: bytes, sent: bytes | None) -> None:
    given = inject(endpoint, body, orjson.loads(body))
    assert given == sent
