"""Understudies: what they are asked, when their answer is taken, and that their failures never reach the agent."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from openai import AsyncOpenAI

from proxy.control.call_page import explanation
from serving.endpoints.dialect import VllmDialect
from simulator.activity import Recorder
from simulator.app import create_app
from simulator.server import RunningServer
from simulator.settings import Settings
from simulator.small_model import SmallModelBrain
from simulator.support_desk import SupportDesk
from store.record import Record
from tests.proxy.conftest import StartProxy
from tests.proxy.raw import Answer, chunked, connected, request
from tests.proxy.running import RunningProxy
from tests.proxy.transport.peer import Peer, Script, scripted

JSON = "content-type: application/json"
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CHAT = b'{ "messages":[{"role":"user","content":"say \\u0022hi\\u0022"}],\n "model" : "gpt-4o", "x": 1e2}'
STREAM = CHAT.replace(b'"model"', b'"stream":true,"model"')
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
TOOLS = [{"type": "function", "function": {"name": "count", "parameters": SCHEMA}}]


def asking(**more: Any) -> bytes:
    return json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]} | more).encode()


def slm_sections(engine: str, **rule: Any) -> dict[str, Any]:
    """The sections that route every call to one small model."""
    return {
        "engines": {"gpu0": {"kind": "vllm", "base_url": f"{engine}/v1"}},
        "slms": {"desk": {"engine": "gpu0", "model": "desk-slm"}},
        "rules": [{"name": "all of it", "route": "desk"} | rule],
    }


def whole(message: dict[str, Any], finish: str = "stop") -> bytes:
    """A chat completion as an engine answers it."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None} | message,
        "finish_reason": finish,
    }
    body = json.dumps(
        {"id": "c", "object": "chat.completion", "model": "desk-slm", "choices": [choice]}
    ).encode()
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    )


def calling(name: str, arguments: str) -> bytes:
    call = {"id": "t", "type": "function", "function": {"name": name, "arguments": arguments}}
    return whole({"tool_calls": [call]}, "tool_calls")


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
ROLE = event({"role": "assistant", "content": ""})


def stream(*events: bytes, ended: bool = True) -> bytes:
    return SSE + (chunked(*events) if ended else chunked(*events).removesuffix(b"0\r\n\r\n"))


@pytest.fixture(scope="module")
def slm_app() -> Recorder:
    """What the simulated engine saw."""
    settings = Settings(models=("desk-slm",), dialect=VllmDialect())
    return create_app(SmallModelBrain(SupportDesk(noise=0.0), 0.0), settings=settings, keep=20)


@pytest.fixture(scope="module")
def slm(slm_app: Recorder) -> Iterator[RunningServer]:
    """A simulated vLLM with one small model."""
    with RunningServer(slm_app) as running:
        yield running


async def post(proxy: RunningProxy, body: bytes, *lines: str, path: str = "/v1/chat/completions") -> Answer:
    async with connected(proxy.port) as client:
        await client.send(request("POST", path, body, JSON, *lines))
        return await client.answer()


# What it is asked


@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["whole", "stream"])
async def test_only_the_model_is_rewritten_and_no_credential_leaves(
    start_proxy: StartProxy, llm: RunningServer, slm: RunningServer, slm_app: Recorder, body: bytes
) -> None:
    proxy = start_proxy(llm.url, **slm_sections(slm.url))
    secrets = (
        "authorization: Bearer sk-agent",
        "x-api-key: sk-agent",
        "api-key: sk-agent",
        "cookie: sk-agent",
    )
    answer = await post(proxy, body, *secrets, "x-custom: passes")
    assert answer.status == 200
    assert answer.header("x-understudy-route") == b"slm"
    seen = slm_app.seen[-1]
    expected = body.replace(b'"gpt-4o"', b'"desk-slm"')
    if body == STREAM:
        expected = expected[:-1] + b',"stream_options":{"include_usage":true}}'
    assert seen.body == expected
    assert not any(b"sk-agent" in value for _, value in seen.headers)
    assert (b"x-custom", b"passes") in seen.headers
    (call,) = proxy.shipped()
    assert (call.summary.route, call.summary.understudy, call.summary.target) == ("slm", "desk", "gpu0")
    assert (call.summary.model, call.summary.served_model) == ("gpt-4o", "desk-slm")
    assert call.summary.usage_source == ("spliced" if body == STREAM else "reported")
    assert json.loads(call.request.data) == json.loads(body)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_every_routable_endpoint(
    start_proxy: StartProxy, llm: RunningServer, slm: RunningServer, path: str, streamed: bool
) -> None:
    given = {"/v1/completions": {"prompt": "hi"}, "/v1/responses": {"input": "hi"}}.get(
        path, {"messages": [{"role": "user", "content": "hi"}]}
    )
    extra = {"max_tokens": 20} if path == "/v1/messages" else {}
    body = json.dumps({"model": "m", "stream": streamed} | given | extra).encode()
    proxy = start_proxy(llm.url, **slm_sections(slm.url))
    answer = await post(proxy, body, path=path)
    assert (answer.status, answer.header("x-understudy-route")) == (200, b"slm")
    assert answer.header("x-understudy-fallback") is None
    assert proxy.record().fallback == ""


async def test_the_response_headers_tell_everything(
    start_proxy: StartProxy, llm: RunningServer, slm: RunningServer
) -> None:
    proxy = start_proxy(llm.url, **slm_sections(slm.url, when={"task": "support/intent"}))
    replaced = await post(proxy, CHAT, "x-understudy-task: support/intent")
    upstream = await post(proxy, CHAT)
    first, second = proxy.shipped()
    for answer, call in ((replaced, first), (upstream, second)):
        assert answer.header("x-understudy-call-id") == call.summary.id.encode()
        assert answer.header("x-understudy-route") == call.summary.route.encode()
        assert answer.header("x-understudy-rule") == call.summary.rule.encode()
        assert answer.header("x-understudy-reason") == explanation(call).encode()
        assert answer.header("x-understudy-config") == proxy.configuration.version.encode()
        assert float(answer.header("x-understudy-overhead-ms") or b"-1") >= 0
        assert answer.header("x-understudy-fallback") is None
    assert replaced.header("x-understudy-model") == b"desk-slm"
    assert upstream.header("x-understudy-model") == b"gpt-4o"
    assert replaced.header("x-understudy-task") == b"support/intent"
    assert replaced.header("x-understudy-rule") == b"all of it"


# What does not go to it


async def test_the_agent_can_opt_out(start_proxy: StartProxy, llm: RunningServer, slm: RunningServer) -> None:
    proxy = start_proxy(llm.url, **slm_sections(slm.url))
    answer = await post(proxy, CHAT, "x-understudy-route: upstream")
    assert answer.header("x-understudy-route") == b"upstream"
    assert proxy.record().route == "upstream"


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v1/responses", {"input": "hi", "previous_response_id": "resp_1"}),
        ("/v1/responses", {"input": "hi", "store": True}),
        ("/v1/responses", {"input": "hi", "conversation": "conv_1"}),
        ("/v1/responses", {"input": "hi", "background": True}),
        ("/v1/responses", {"input": "hi", "tools": [{"type": "web_search"}]}),
        ("/v1/responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}),
        ("/v1/chat/completions", {"messages": [], "store": True}),
        ("/v1/messages", {"messages": [], "container": "c"}),
    ],
)
async def test_state_on_the_server_pins_a_call_to_the_upstream(
    start_proxy: StartProxy, slm: RunningServer, path: str, more: dict[str, Any]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url, **slm_sections(slm.url))
        body = json.dumps({"model": "m"} | more).encode()
        answer = await post(proxy, body, path=path)
        assert (answer.body, answer.header("x-understudy-route")) == (b"{}", b"upstream")
        assert upstream.requests[0].body == body
        assert proxy.record().fallback == ""


async def test_the_share_decides_by_session(
    start_proxy: StartProxy, llm: RunningServer, slm: RunningServer
) -> None:
    proxy = start_proxy(llm.url, **slm_sections(slm.url, share="50%"))
    routes: dict[str, set[bytes | None]] = {}
    for number in range(24):
        session = f"s{number % 12}"
        answer = await post(proxy, CHAT, f"x-understudy-session: {session}")
        routes.setdefault(session, set()).add(answer.header("x-understudy-route"))
    assert all(len(seen) == 1 for seen in routes.values())
    assert {route for seen in routes.values() for route in seen} == {b"slm", b"upstream"}


# Its failures


def reset_at_once() -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    return script


def saying(answer: bytes, *, then: str = "close") -> Script:
    async def script(peer: Peer) -> None:
        await peer.answer(answer)
        if then == "stall":
            await peer.closed()
        elif then == "reset":
            peer.reset()

    return script


def status(code: int) -> Script:
    return saying(b"HTTP/1.1 %d No\r\ncontent-length: 2\r\n\r\n{}" % code)


BAD_JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n{bad}"
DEEP = b"[" * 100_000
TEXT = whole({"content": "fine"})
FAILURES: Sequence[tuple[str, bytes, Script, str]] = [
    ("reset", CHAT, reset_at_once(), "reset"),
    ("400", CHAT, status(400), "status"),
    ("404", STREAM, status(404), "model_missing"),
    ("429", CHAT, status(429), "status"),
    ("500", STREAM, status(500), "status"),
    ("timeout", CHAT, saying(b"", then="stall"), "timeout"),
    ("stall-in-body", CHAT, saying(TEXT[:-3], then="stall"), "timeout"),
    ("stall-before-content", STREAM, saying(stream(ROLE, ended=False), then="stall"), "timeout"),
    ("error-event", STREAM, saying(stream(ROLE, b'data: {"error": {"message": "no"}}\n\n')), "error_event"),
    ("ends-early", STREAM, saying(stream(ROLE)), "truncated"),
    ("breaks-off-before-content", STREAM, saying(stream(ROLE, ended=False), then="reset"), "read"),
    ("breaks-off", CHAT, saying(TEXT[:-3], then="reset"), "read"),
    ("malformed", CHAT, saying(BAD_JSON), "malformed"),
    ("no-object", CHAT, saying(BAD_JSON.replace(b"{bad}", b"[1,2]")), "malformed"),
    ("deep", CHAT, saying(BAD_JSON.replace(b": 5", b": %d" % len(DEEP)).replace(b"{bad}", DEEP)), "malformed"),
    ("odd-types", CHAT, saying(BAD_JSON.replace(b": 5", b": 13").replace(b"{bad}", b'{"choices":3}')), "empty"),
    ("no-http", CHAT, saying(b"\x16\x03\x01\r\n\r\n"), "protocol"),
    ("stream-for-whole", CHAT, saying(stream(ROLE, DONE)), "protocol"),
    ("whole-for-stream", STREAM, saying(TEXT), "protocol"),
    ("empty", CHAT, saying(whole({"content": ""})), "empty"),
    ("refusal", CHAT, saying(whole({"refusal": "no"})), "refusal"),
    ("schema", asking(response_format=FORMAT), saying(whole({"content": '{"n": "x"}'})), "schema"),
    ("no-json", asking(response_format=FORMAT), saying(whole({"content": "Sure!"})), "schema"),
    (
        "schema-streamed",
        asking(response_format=FORMAT, stream=True),
        saying(stream(ROLE, event({"content": '{"n":'}), event({"content": '"x"}'}), event({}, "stop"), DONE)),
        "schema",
    ),
    ("cut-json", asking(response_format=FORMAT), saying(whole({"content": '{"n"'}, "length")), "truncated"),
    ("unknown-tool", asking(tools=TOOLS), saying(calling("other", '{"n": 1}')), "tool"),
    ("bad-arguments", asking(tools=TOOLS), saying(calling("count", '{"n": "x"}')), "tool"),
    ("cut-arguments", asking(tools=TOOLS), saying(calling("count", '{"n"')), "tool"),
    ("no-model", CHAT.replace(b'"model"', b'"modell"'), saying(TEXT), "no_model"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "script", "cause"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES])
async def test_a_failure_is_the_upstreams_answer_and_a_note_in_the_record(
    start_proxy: StartProxy, body: bytes, script: Script, cause: str
) -> None:
    """The agent gets the very bytes that it would have got without an understudy."""
    streamed = b'stream": true' in body or b'stream":true' in body
    answer_bytes = (
        stream(event({"content": "from above"}), DONE) if streamed else whole({"content": "from above"})
    )

    async def upstream_script(peer: Peer) -> None:
        await peer.answer(answer_bytes)

    async with scripted(script) as engine, scripted(upstream_script) as upstream:
        proxy = start_proxy(upstream.url, **slm_sections(engine.url, timeout="700ms"))
        answer = await post(proxy, body)
        assert answer.status == 200
        expected = (
            event({"content": "from above"}) + DONE if streamed else answer_bytes.partition(b"\r\n\r\n")[2]
        )
        assert answer.body == expected
        assert answer.header("x-understudy-route") == b"upstream"
        assert answer.header("x-understudy-fallback") == cause.encode()
        check_fallback(proxy.record(), cause)
        await upstream_closed(engine)


async def upstream_closed(engine: Any) -> None:
    """The engine's connection is not left behind in the middle of an answer."""
    await engine.until_finished(len(engine.peers), "the engine's connections have ended")


def check_fallback(record: Record, cause: str) -> None:
    assert (record.route, record.fallback, record.understudy) == ("upstream", cause, "")
    assert [(attempt.route, attempt.cause) for attempt in record.attempts] == [
        ("slm", cause),
        ("upstream", ""),
    ]


async def test_an_engine_that_is_down(start_proxy: StartProxy, llm: RunningServer) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        proxy = start_proxy(llm.url, **slm_sections(f"http://127.0.0.1:{reserved.getsockname()[1]}"))
        answer = await post(proxy, asking())
    assert (answer.status, answer.header("x-understudy-fallback")) == (200, b"connect")
    check_fallback(proxy.record(), "connect")


@pytest.mark.parametrize(("body", "code"), [(CHAT, b"understudy_status"), (STREAM, b"understudy_status")])
async def test_without_fallback_the_agent_gets_an_error(
    start_proxy: StartProxy, llm: RunningServer, body: bytes, code: bytes
) -> None:
    async with scripted(status(500)) as engine:
        proxy = start_proxy(llm.url, **slm_sections(engine.url, fallback="none"))
        answer = await post(proxy, body)
        assert answer.status == 502
        assert b'"code":"' + code + b'"' in answer.body
        record = proxy.record()
        assert (record.status, record.fallback) == (502, "status")
        assert [attempt.route for attempt in record.attempts] == ["slm"]


@pytest.mark.parametrize("body", [STREAM, asking(stream=True, stream_options={"include_usage": True})])
async def test_after_the_first_content_there_is_no_way_back(
    start_proxy: StartProxy, llm: RunningServer, llm_app: Recorder, body: bytes
) -> None:
    before = llm_app.counts.started
    async with scripted(saying(stream(ROLE, event({"content": "x"}), ended=False), then="reset")) as engine:
        proxy = start_proxy(llm.url, **slm_sections(engine.url))
        answer = await post(proxy, body)
        assert answer.complete
        assert answer.body.startswith(ROLE + event({"content": "x"}) + b'data: {"error":{"message":')
        assert llm_app.counts.started == before
        record = proxy.record()
        assert (record.route, record.status, record.attempts[-1].cause) == ("slm", 200, "read")


async def test_free_text_flows_from_its_first_content(start_proxy: StartProxy, llm: RunningServer) -> None:
    """The rest is sent only when the agent has read the first word."""
    events = [ROLE, event({"content": "one"})], [event({"content": "two"}), event({}, "stop"), DONE]

    async def script(peer: Peer) -> None:
        await peer.answer(stream(*events[0], ended=False))
        await read_first.wait()
        await peer.send(chunked(*events[1]))

    read_first = asyncio.Event()
    async with scripted(script) as engine:
        proxy = start_proxy(llm.url, **slm_sections(engine.url))
        async with connected(proxy.port) as client:
            await client.send(request("POST", "/v1/chat/completions", STREAM, JSON))
            assert (await client.head()).header("x-understudy-route") == b"slm"
            received = await client.chunk()
            read_first.set()
            while piece := await client.chunk():
                received += piece
        assert received == b"".join(events[0] + events[1])


async def test_structured_streams_are_held_until_checked_and_then_byte_exact(
    start_proxy: StartProxy, llm: RunningServer
) -> None:
    events = [ROLE, event({"content": '{"n":'}), event({"content": "1}"}), event({}, "stop"), DONE]
    async with scripted(saying(stream(*events))) as engine:
        proxy = start_proxy(llm.url, **slm_sections(engine.url))
        answer = await post(proxy, asking(response_format=FORMAT, stream=True))
        assert (answer.header("x-understudy-route"), answer.body) == (b"slm", b"".join(events))


async def test_an_engine_that_is_slower_than_its_rule_allows(
    start_proxy: StartProxy, llm: RunningServer
) -> None:
    """The small model's own limit holds where the rule names none."""
    async with scripted(saying(b"", then="stall")) as engine:
        sections = slm_sections(engine.url)
        sections["slms"]["desk"]["timeout"] = "150ms"
        proxy = start_proxy(llm.url, **sections)
        assert (await post(proxy, CHAT)).header("x-understudy-fallback") == b"timeout"


async def test_the_sdk_notices_nothing(
    start_proxy: StartProxy, llm: RunningServer, slm: RunningServer
) -> None:
    proxy = start_proxy(llm.url, **slm_sections(slm.url))
    async with AsyncOpenAI(base_url=proxy.base_url, api_key="k", max_retries=0) as sdk:
        messages: Any = [{"role": "user", "content": "hi"}]
        said = await sdk.chat.completions.create(model="gpt-4o", messages=messages)
        assert said.choices[0].message.content
        streamed = await sdk.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in streamed])
        assert text
    assert [record.route for record in proxy.records(2)] == ["slm", "slm"]
