"""Server-sent events: byte-exact, unbuffered, with usage asked for and taken out again."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import APIError, AsyncOpenAI

from simulator.activity import Recorder
from simulator.server import RunningServer
from tests.proxy.conftest import StartProxy
from tests.proxy.raw import chunked, connected, request
from tests.proxy.running import RunningProxy
from tests.proxy.transport.peer import Peer, scripted, until

JSON = "content-type: application/json"
SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
BODY = b'{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}'
ASKING = BODY[:-1] + b',"stream_options":{"include_usage":true}}'
STREAMS = {
    "lf": 'data: {"choices":[{"delta":{"content":"héé🙂"}}]}\n\n: ping\n\nevent: x\ndata: a\ndata: b\n\ndata: [DONE]\n\n',
    "crlf": 'data: {"choices":[{"delta":{"content":"日本語"}}]}\r\n\r\nid: 1\r\nretry: 5\r\ndata: é\r\n\r\ndata: [DONE]\r\n\r\n',
    "cr": "data: é\r\rdata: 2\r\r",
    "unended": 'data: {"choices":[{"delta":{"content":"é"}}]}\n\ndata: {"no end',
}


@pytest.mark.parametrize("name", sorted(STREAMS))
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/threads/t/runs"])
async def test_a_stream_arrives_as_it_was_cut_piece_by_piece(
    start_proxy: StartProxy, name: str, path: str
) -> None:
    """Every byte is a packet of its own; the next is sent when the agent has this one."""
    stream = STREAMS[name].encode()
    received = bytearray()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(SSE_HEAD)
        for place in range(len(stream)):
            await peer.send(b"1\r\n" + stream[place : place + 1] + b"\r\n")
            await until(lambda place=place: len(received) > place, "the agent has the byte")  # type: ignore[misc]
        await peer.send(b"0\r\n\r\n")

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", path, ASKING, JSON))
            head = await client.head()
            while chunk := await client.chunk():
                received += chunk
        assert head.header("content-type") == b"text/event-stream"
        assert received == stream
        assert proxy.record().response == stream


EVENTS = st.lists(
    st.sampled_from(
        [
            b'data: {"id":"1","choices":[{"delta":{"content":"h\xc3\xa9"}}],"usage":null}\n\n',
            b'data: {"id":"1","choices":[{"delta":{"content":"\xf0\x9f\x99\x82"}}]}\r\n\r\n',
            b'data: {"usage":null,"choices":[{"delta":{"content":"\\"usage\\":null"}}]}\n\n',
            b": comment\n\n",
            b'event: ping\ndata: {"a": "usage"}\n\n',
        ]
    ),
    max_size=5,
)
EXPECTED = {
    b'data: {"id":"1","choices":[{"delta":{"content":"h\xc3\xa9"}}],"usage":null}\n\n': (
        b'data: {"id":"1","choices":[{"delta":{"content":"h\xc3\xa9"}}]}\n\n'
    ),
    b'data: {"usage":null,"choices":[{"delta":{"content":"\\"usage\\":null"}}]}\n\n': (
        b'data: {"choices":[{"delta":{"content":"\\"usage\\":null"}}]}\n\n'
    ),
}
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
DONE = b"data: [DONE]\n\n"


async def test_any_cut_gives_the_same_stream_with_and_without_the_splice(start_proxy: StartProxy) -> None:
    """Hypothesis chooses the events and where they are cut; one proxy serves all examples."""
    pieces: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(SSE_HEAD, *[b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces])
            await peer.send(b"0\r\n\r\n")

    async def ask(port: int, body: bytes) -> bytes:
        async with connected(port) as client:
            await client.send(request("POST", "/v1/chat/completions", body, JSON))
            answer = await client.answer()
            assert answer.complete
            return answer.body

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        loop = asyncio.get_running_loop()

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(events=EVENTS, cuts=st.lists(st.integers(0, 500), max_size=12))
        def check(events: list[bytes], cuts: list[int]) -> None:
            stream = b"".join([*events, USAGE, DONE])
            places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
            pieces[:] = [stream[a:b] for a, b in itertools.pairwise(places)]
            untouched = asyncio.run_coroutine_threadsafe(ask(proxy.port, ASKING), loop).result(20)
            spliced = asyncio.run_coroutine_threadsafe(ask(proxy.port, BODY), loop).result(20)
            assert untouched == stream
            assert spliced == b"".join([*(EXPECTED.get(event, event) for event in events), DONE])

        await loop.run_in_executor(None, check)


async def post(port: int, path: str, body: bytes, *lines: str) -> Any:
    async with connected(port) as client:
        await client.send(request("POST", path, body, JSON, *lines))
        return await client.answer()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
async def test_usage_is_asked_for_and_taken_out_again(
    start_proxy: StartProxy, llm: RunningServer, llm_app: Recorder, path: str
) -> None:
    """The agent gets the bytes of a stream without usage; the record has the counts."""
    asked = BODY if "chat" in path else b'{"model":"gpt-4o","stream":true,"prompt":"hi"}'
    proxy = start_proxy(llm.url)
    direct = await post(int(llm.url.rpartition(":")[2]), path, asked)
    through = await post(proxy.port, path, asked)
    assert through.body == direct.body
    assert b'"usage"' not in through.body
    assert json.loads(llm_app.seen[-1].body)["stream_options"] == {"include_usage": True}
    (call,) = proxy.shipped()
    assert call.summary.usage_source == "spliced"
    assert call.summary.usage.output
    assert call.summary.usage.output > 0
    assert json.loads(call.request.data) == json.loads(asked)


async def test_an_agent_that_asks_for_usage_itself_gets_it(
    start_proxy: StartProxy, llm: RunningServer, llm_app: Recorder
) -> None:
    proxy = start_proxy(llm.url)
    direct = await post(int(llm.url.rpartition(":")[2]), "/v1/chat/completions", ASKING)
    through = await post(proxy.port, "/v1/chat/completions", ASKING)
    assert through.body == direct.body
    assert b'"usage":{' in through.body
    assert llm_app.seen[-1].body == ASKING
    (call,) = proxy.shipped()
    assert call.summary.usage_source == "reported"


async def test_usage_is_not_asked_for_where_that_is_turned_off(
    start_proxy: StartProxy, llm: RunningServer, llm_app: Recorder
) -> None:
    proxy = start_proxy({"base_url": llm.base_url, "stream_usage": "off"})
    await post(proxy.port, "/v1/chat/completions", BODY)
    assert llm_app.seen[-1].body == BODY


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages"])
async def test_usage_is_not_asked_for_where_streams_carry_it_anyway(
    start_proxy: StartProxy, llm: RunningServer, llm_app: Recorder, path: str
) -> None:
    body = (
        b'{"model":"gpt-4o","stream":true,"input":"hi"}'
        if path == "/v1/responses"
        else b'{"model":"gpt-4o","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
    )
    proxy = start_proxy(llm.url)
    direct = await post(int(llm.url.rpartition(":")[2]), path, body)
    assert (await post(proxy.port, path, body)).body == direct.body
    assert llm_app.seen[-1].body == body
    (call,) = proxy.shipped()
    assert call.summary.usage_source == "reported"


async def test_an_upstream_that_refuses_the_question_is_asked_once_more_and_remembered(
    start_proxy: StartProxy,
) -> None:
    answer = SSE_HEAD + chunked(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n', DONE)

    async def script(peer: Peer) -> None:
        while True:
            received = await peer.request()
            if b"stream_options" in received.body:
                await peer.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 7\r\n\r\nunknown")
            else:
                await peer.send(answer)

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        for _ in range(2):
            assert (await post(proxy.port, "/v1/chat/completions", BODY)).status == 200
        bodies = [received.body for received in upstream.requests]
        assert [b"stream_options" in body for body in bodies] == [True, False, False]
        assert bodies[1] == bodies[2] == BODY
        first, second = proxy.records(2)
        assert [(attempt.status, attempt.cause) for attempt in first.attempts] == [
            (400, "usage_injection"),
            (200, ""),
        ]
        assert len(second.attempts) == 1


async def test_a_request_that_is_wrong_either_way_keeps_its_own_error(start_proxy: StartProxy) -> None:
    async def script(peer: Peer) -> None:
        while True:
            received = await peer.request()
            text = b"asked" if b"stream_options" in received.body else b"wrong"
            await peer.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\n\r\n" + text)

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        for _ in range(2):
            answer = await post(proxy.port, "/v1/chat/completions", BODY)
            assert (answer.status, answer.body) == (400, b"wrong")
        assert [b"stream_options" in received.body for received in upstream.requests] == [True, False] * 2


async def test_the_head_of_a_stream_does_not_wait_for_its_first_event(start_proxy: StartProxy) -> None:
    seen = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(SSE_HEAD)
        await seen.wait()
        await peer.send(chunked(DONE))

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", "/v1/chat/completions", BODY, JSON))
            assert (await client.head()).status == 200
            seen.set()
            assert await client.chunk() == DONE
            assert await client.chunk() == b""


PARTIAL = b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'


async def break_off(peer: Peer) -> None:
    await peer.answer(SSE_HEAD + b"%x\r\n%b\r\n" % (len(PARTIAL), PARTIAL))
    peer.reset()


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/chat/completions", b'data: {"error":{"message":'),
        ("/v1/completions", b'data: {"error":{"message":'),
        ("/v1/responses", b'event: error\ndata: {"type":"error","code":"upstream_read"'),
        ("/v1/messages", b'event: error\ndata: {"type":"error","error":{"type":"api_error"'),
    ],
)
async def test_an_error_inside_a_stream_is_an_event(start_proxy: StartProxy, path: str, shape: bytes) -> None:
    async with scripted(break_off) as upstream:
        proxy = start_proxy(upstream.url)
        answer = await post(proxy.port, path, BODY)
        assert answer.complete
        assert answer.body.startswith(PARTIAL + shape)
        assert answer.body.endswith(b"\n\n")
        record = proxy.record()
        assert (record.status, record.attempts[-1].cause, record.response) == (200, "read", answer.body)


async def test_the_sdk_raises_the_error_inside_a_stream(start_proxy: StartProxy) -> None:
    async with scripted(break_off) as upstream:
        proxy = start_proxy(upstream.url)
        async with AsyncOpenAI(base_url=proxy.base_url, api_key="k", max_retries=0) as sdk:
            stream = await sdk.chat.completions.create(model="m", messages=[], stream=True)
            assert (await anext(stream)).choices[0].delta.content == "x"
            with pytest.raises(APIError, match="broke off"):
                await anext(stream)


@pytest.mark.parametrize("line", [b"content-encoding: gzip", b"content-length: 9999"])
async def test_a_stream_that_takes_no_event_is_cut_instead(start_proxy: StartProxy, line: bytes) -> None:
    """Plain text within gzip, or within a promised length, would be worse than a broken connection."""
    body = gzip.compress(PARTIAL)

    async def script(peer: Peer) -> None:
        framing = line if b"length" in line else line + b"\r\ntransfer-encoding: chunked"
        data = body if b"length" in line else b"%x\r\n%b\r\n" % (len(body), body)
        await peer.answer(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + framing + b"\r\n\r\n" + data
        )
        peer.reset()

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        answer = await post(proxy.port, "/v1/messages", BODY)
        assert not answer.complete
        assert answer.body == body
        assert proxy.record().attempts[-1].cause == "read"


async def test_a_whole_answer_that_breaks_off_is_cut(start_proxy: StartProxy) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        )
        peer.reset()

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        answer = await post(proxy.port, "/v1/chat/completions", BODY)
        assert (answer.complete, answer.body) == (False, b"{")
        record = proxy.record()
        assert (record.status, record.attempts[-1].cause, record.response) == (200, "read", b"{")


@pytest.mark.parametrize(("timeout", "cause"), [("idle", "stall"), ("total", "total_timeout")])
async def test_a_stream_that_stalls_ends_with_an_event(
    start_proxy: StartProxy, timeout: str, cause: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(SSE_HEAD + b"%x\r\n%b\r\n" % (len(PARTIAL), PARTIAL))
        await peer.closed()

    async with scripted(script) as upstream:
        proxy = start_proxy({"base_url": f"{upstream.url}/v1", "timeouts": {timeout: "300ms"}})
        answer = await post(proxy.port, "/v1/chat/completions", BODY)
        assert answer.complete
        assert answer.body.startswith(PARTIAL + b'data: {"error":{')
        assert f'"code":"upstream_{cause}"'.encode() in answer.body
        await upstream.until_finished(1, "the upstream's connection is closed")
        assert proxy.record().attempts[-1].cause == cause


async def test_a_thousand_events_at_once_and_a_slow_reader(proxy: RunningProxy, sdk: AsyncOpenAI) -> None:
    """The whole way with the official client."""
    stream = await sdk.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "Write a poem. " * 50}], stream=True
    )
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    (call,) = proxy.shipped()
    assert json.loads(call.response.data)["choices"][0]["message"]["content"] == text
