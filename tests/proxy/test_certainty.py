"""Understudies on engines that tell how likely their tokens are: asked for where there is a threshold, and never seen."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from proxy.agent_headers import AgentHeaders
from proxy.call import Call
from proxy.control.call_page import explanation
from proxy.engine_server import EngineServer
from proxy.targets import Engine, Understudy
from proxy.transport.lean import LeanTransport
from proxy.understudy import Declined, Held, UnderstudyClient
from router.decision import Query
from serving.endpoints.answer import Answer as Said
from serving.endpoints.dialect import VllmDialect
from serving.endpoints.prompt import Prompt
from simulator.activity import Recorder
from simulator.app import create_app
from simulator.desk.prompts import ORDER_SCHEMA, SYSTEM, TOOLS, Kind
from simulator.server import RunningServer
from simulator.settings import Settings
from simulator.support_desk import SupportDesk
from tests.proxy.conftest import StartProxy
from tests.proxy.raw import Answer, chunked, connected, request
from tests.proxy.running import RunningProxy
from tests.proxy.test_published import ALL, TASK, Publisher
from tests.proxy.transport.peer import Peer, scripted
from wire.check import AnswerChecker
from wire.shape import endpoint_of

CHAT = "/v1/chat/completions"
LETTER = "Please cancel my purchase of two blue ceramic mugs, order #48213.\nThanks,\nMaria Lopez"
SURE = b"0.9900"
"""Of each token, as the simulated engine has it: the exponential of -0.01."""
FORMAT = {"type": "json_schema", "json_schema": {"name": "order", "strict": True, "schema": ORDER_SCHEMA}}
_ID = re.compile(rb'"id":"[^"]*"')
"""Follows from all of a request in the simulator."""
USAGE = {"stream": True, "stream_options": {"include_usage": True}}


def messages(kind: Kind) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": SYSTEM[kind]}, {"role": "user", "content": LETTER}]}


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "text": (CHAT, messages("classify")),
    "streamed text": (CHAT, messages("classify") | {"stream": True}),
    "streamed text with usage": (CHAT, messages("classify") | USAGE),
    "a schema": (CHAT, messages("extract") | {"response_format": FORMAT, "logprobs": False}),
    "a streamed schema": (CHAT, messages("extract") | {"response_format": FORMAT, "logprobs": None} | USAGE),
    "a tool": (CHAT, messages("act") | {"tools": list(TOOLS)}),
    "a streamed tool": (CHAT, messages("act") | {"tools": list(TOOLS), "stream": True}),
    "a completion": ("/v1/completions", {"prompt": LETTER}),
    "a streamed completion": ("/v1/completions", {"prompt": LETTER, "stream": True}),
}


class Desk:
    """A support desk whose calls have one id, from which their cut into fragments follows."""

    def __init__(self) -> None:
        self._desk = SupportDesk(noise=0.0)

    def answer(self, prompt: Prompt, index: int = 0) -> Said:
        said = self._desk.answer(prompt, index)
        return replace(said, tool_calls=tuple(replace(call, id="call_1") for call in said.tool_calls))


@pytest.fixture(scope="module")
def slm_app() -> Recorder:
    settings = Settings(clock="fixed", models=("*",), dialect=VllmDialect())
    return create_app(Desk(), settings=settings, keep=20)


@pytest.fixture(scope="module")
def slm(slm_app: Recorder) -> Iterator[RunningServer]:
    """A simulated vLLM."""
    with RunningServer(slm_app) as running:
        yield running


def deployed(
    start_proxy: StartProxy,
    llm: RunningServer,
    engine: str,
    path: str,
    body: dict[str, Any],
    threshold: float,
) -> tuple[RunningProxy, Publisher]:
    """A proxy in which calls like this one have a live understudy on a vLLM engine."""
    engines = {"gpu0": {"kind": "vllm", "base_url": f"{engine}/v1"}}
    proxy = start_proxy(llm.url, engines=engines, **ALL)
    publisher = Publisher(proxy)
    publisher.learn(Query(endpoint_of(path), body, 100))
    publish(publisher, "one", threshold)
    return proxy, publisher


def publish(publisher: Publisher, version: str, threshold: float) -> None:
    publisher.publish("live", version=version, threshold=threshold, engine_name="gpu0", model="small")
    publisher.await_version(version)


async def post(proxy: RunningProxy, path: str, body: bytes) -> Answer:
    async with connected(proxy.port) as client:
        await client.send(request("POST", path, body, "content-type: application/json"))
        return await client.answer()


def written(body: dict[str, Any]) -> bytes:
    return json.dumps({"model": "gpt-4o"} | body).encode()


@pytest.mark.parametrize("call", CALLS)
async def test_an_answer_that_is_sure_enough_arrives_as_if_nothing_had_been_asked(
    start_proxy: StartProxy, llm: RunningServer, slm: RunningServer, slm_app: Recorder, call: str
) -> None:
    path, body = CALLS[call]
    proxy, publisher = deployed(start_proxy, llm, slm.url, path, body, 0.0)
    unasked = await post(proxy, path, written(body))
    publish(publisher, "two", 0.98)
    answer = await post(proxy, path, written(body))
    asked = json.loads(slm_app.seen[-1].body)["logprobs"]
    assert (type(asked), asked) == ((int, 0) if path == "/v1/completions" else (bool, True))
    assert _ID.sub(b"", answer.body) == _ID.sub(b"", unasked.body)
    assert b'"logprob"' not in answer.body
    assert answer.header("x-understudy-route") == b"slm"
    assert answer.header("x-understudy-confidence") == SURE
    before, after = proxy.shipped()
    assert before.summary.confidence is None
    assert after.summary.confidence == pytest.approx(0.99, abs=1e-3)
    assert (after.summary.understudy, after.summary.fallback) == (f"{TASK}@1", "")
    assert _ID.sub(b"", after.response.data) == _ID.sub(b"", before.response.data)


@pytest.mark.parametrize("call", CALLS)
async def test_an_answer_that_is_not_is_the_upstreams(
    start_proxy: StartProxy, llm: RunningServer, slm: RunningServer, call: str
) -> None:
    path, body = CALLS[call]
    above = httpx2.post(f"{llm.url}{path}", json={"model": "gpt-4o"} | body).content
    proxy, _ = deployed(start_proxy, llm, slm.url, path, body, 0.995)
    answer = await post(proxy, path, written(body))
    assert answer.body == above
    assert answer.header("x-understudy-fallback") == b"confidence"
    assert answer.header("x-understudy-confidence") is None
    record = proxy.record()
    assert (record.route, record.fallback, record.understudy) == ("upstream", "confidence", "")
    assert record.confidence == pytest.approx(0.99, abs=1e-3)
    assert [attempt.cause for attempt in record.attempts] == ["confidence", ""]
    assert "99% sure" in explanation(proxy.shipped()[0])


@pytest.mark.parametrize("call", CALLS)
async def test_without_a_threshold_nothing_is_asked(
    start_proxy: StartProxy, llm: RunningServer, slm: RunningServer, slm_app: Recorder, call: str
) -> None:
    path, body = CALLS[call]
    proxy, _ = deployed(start_proxy, llm, slm.url, path, body, 0.0)
    sent = written(body)
    answer = await post(proxy, path, sent)
    assert answer.header("x-understudy-route") == b"slm"
    assert answer.header("x-understudy-confidence") is None
    expected = sent.replace(b'"gpt-4o"', b'"small"')
    if body.get("stream") and "stream_options" not in body:
        expected = expected[:-1] + b',"stream_options":{"include_usage":true}}'
    assert slm_app.seen[-1].body == expected
    assert proxy.record().confidence is None


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/responses", {"input": LETTER}), ("/v1/messages", {**messages("reply"), "max_tokens": 50})],
)
async def test_an_endpoint_that_tells_none_is_declined(
    start_proxy: StartProxy, llm: RunningServer, slm: RunningServer, path: str, body: dict[str, Any]
) -> None:
    proxy, _ = deployed(start_proxy, llm, slm.url, path, body, 0.5)
    assert (await post(proxy, path, written(body))).header("x-understudy-fallback") == b"confidence"
    assert proxy.record().confidence is None


# Answers that no simulated engine gives


def engine_answer(*logprobs: Any, lines: str = "", content: str = "fine") -> bytes:
    told = {"content": [{"token": "x", "logprob": each} for each in logprobs]}
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "logprobs": told}
    body = json.dumps({"id": "c", "choices": [choice | {"finish_reason": "stop"}]}).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{lines}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def event(delta: dict[str, Any], *logprobs: float, finish: str | None = None) -> bytes:
    told = {"content": [{"token": "x", "logprob": each} for each in logprobs]} if logprobs else None
    choice = {"index": 0, "delta": delta, "logprobs": told, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"


@pytest.mark.parametrize(
    ("answer", "threshold", "fallback"),
    [
        (engine_answer(-0.01, -0.01, lines="x-understudy-confidence: 0.4\r\n"), 0.5, b"confidence"),
        (engine_answer(-9.0, lines="x-understudy-confidence: 0.9\r\n"), 0.5, None),
        (engine_answer(-0.01, lines="x-understudy-confidence: nan\r\n"), 0.5, None),
        (engine_answer(), 0.5, b"confidence"),
        (engine_answer(-0.01, None), 0.5, b"confidence"),
        (engine_answer(-0.01, "high"), 0.5, b"confidence"),
        (engine_answer(-0.01).replace(b"-0.01", b" NaN "), 0.5, b"malformed"),
        (engine_answer(-0.01, content=""), 0.5, b"empty"),
    ],
    ids=["header-below", "header-above", "no-number", "no-tokens", "null", "a-word", "nan", "empty"],
)
async def test_what_an_engine_may_say(
    start_proxy: StartProxy, llm: RunningServer, answer: bytes, threshold: float, fallback: bytes | None
) -> None:
    """A header goes before the tokens; the tokens are not shown either way."""

    async def script(peer: Peer) -> None:
        await peer.answer(answer)

    async with scripted(script) as engine:
        proxy, _ = deployed(start_proxy, llm, engine.url, CHAT, CALLS["text"][1], threshold)
        got = await post(proxy, CHAT, written(CALLS["text"][1]))
        assert got.header("x-understudy-fallback") == fallback
        assert b'"token"' not in got.body
        assert len(got.body) == int(got.header("content-length") or b"0")
        await engine.until_finished(len(engine.peers), "the engine's connections have ended")


async def test_streamed_text_is_held_to_its_end(start_proxy: StartProxy, llm: RunningServer) -> None:
    """The least sure token is the last: the agent sees nothing of the text before it."""
    first = [event({"role": "assistant", "content": ""}), event({"content": "one"}, -0.01)]
    second = [event({"content": " two"}, -3.0), event({}, -0.01, finish="stop"), b"data: [DONE]\n\n"]
    sse = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    async def script(peer: Peer) -> None:
        await peer.answer(sse + chunked(*first).removesuffix(b"0\r\n\r\n"))
        begun.set()
        await go_on.wait()
        await peer.send(chunked(*second))

    begun, go_on = asyncio.Event(), asyncio.Event()
    body = CALLS["streamed text"][1]
    async with scripted(script) as engine:
        proxy, _ = deployed(start_proxy, llm, engine.url, CHAT, body, 0.5)
        answering = asyncio.create_task(post(proxy, CHAT, written(body)))
        await begun.wait()
        assert not answering.done()
        go_on.set()
        answer = await answering
    assert answer.header("x-understudy-fallback") == b"confidence"
    assert b"one" not in answer.body
    assert proxy.record().confidence == pytest.approx(0.0498, abs=1e-4)


async def test_probabilities_that_the_agent_asked_for_stay(slm: RunningServer, slm_app: Recorder) -> None:
    """No rule lets such a call through to an understudy today; the client would treat it right."""
    transport = LeanTransport()
    client = UnderstudyClient(transport, AnswerChecker())
    engine = Engine("gpu0", (EngineServer("gpu0", f"{slm.url}/v1"),), gives_logprobs=True)
    body = messages("classify") | {"model": "gpt-4o", "logprobs": True, "top_logprobs": 0}
    sent = json.dumps(body).encode()

    async def ask(threshold: float) -> Held:
        call = Call(
            method="POST",
            path=CHAT,
            endpoint="chat.completions",
            headers=AgentHeaders([(b"content-type", b"application/json")]),
            config="",
            limit=0,
        )
        understudy = Understudy("desk", engine, "small")
        return await client.ask(call, understudy, sent, body, limit=None, threshold=threshold)

    held = await ask(0.98)
    answer = json.loads(await held.read())
    await held.aclose()
    assert slm_app.seen[-1].body == sent.replace(b'"gpt-4o"', b'"small"')
    assert answer["choices"][0]["logprobs"]["content"][0]["logprob"] == -0.01
    with pytest.raises(Declined, match="confidence"):
        await ask(0.995)
    await transport.aclose()
