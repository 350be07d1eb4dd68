"""An agent that leaves, in every phase: the upstream call ends, the record says 499, nothing is left open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from simulator.activity import Recorder
from simulator.server import RunningServer
from tests.proxy.conftest import StartProxy
from tests.proxy.raw import RawClient, connected, request
from tests.proxy.running import RunningProxy, wait_for
from tests.proxy.transport.peer import Peer, scripted, until

JSON = "content-type: application/json"
CHAT = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}'
STREAM = b'{"model":"gpt-4o","stream":true,"messages":[]}'
SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
Leave = Callable[[RawClient], Any]
LEAVING: list[Leave] = [RawClient.close, RawClient.reset]


async def silent(peer: Peer) -> None:
    """Never answers; ends when the proxy closes the connection."""
    await peer.request()
    await peer.closed()


@pytest.fixture(params=LEAVING, ids=["close", "reset"])
def leave(request: pytest.FixtureRequest) -> Leave:
    """How the agent goes."""
    chosen: Leave = request.param
    return chosen


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/v1/files"])
@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["whole", "stream"])
async def test_before_the_head(start_proxy: StartProxy, leave: Leave, path: str, body: bytes) -> None:
    async with scripted(silent) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            kind = "content-type: audio/wav" if path == "/v1/files" else JSON
            await client.send(request("POST", path, body, kind))
            await until(lambda: len(upstream.requests) == 1, "the upstream has the request")
            leave(client)
            await upstream.until_finished(1, "the upstream's connection is closed")
        record = await asyncio.to_thread(proxy.record)
        assert (record.status, record.first_byte_us, record.response) == (499, -1, b"")
        assert [(attempt.status, attempt.cause) for attempt in record.attempts] == [(0, "client_left")]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
async def test_during_a_body_that_is_read_whole(start_proxy: StartProxy, leave: Leave, path: str) -> None:
    async with scripted(silent) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", path, CHAT, JSON)[:-10])
            await settled(client)
            leave(client)
        record = await asyncio.to_thread(proxy.record)
        assert (record.status, record.attempts) == (499, ())
        assert upstream.peers == []


async def settled(client: RawClient) -> None:
    """Let the proxy's thread take what was sent; whatever it has done then, the outcome must be the same."""
    await asyncio.sleep(0)


@pytest.mark.parametrize("framing", ["content-length: 100000", "transfer-encoding: chunked"])
async def test_during_an_upload(start_proxy: StartProxy, leave: Leave, framing: str) -> None:
    first = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.reader.readuntil(b"piece")
        first.set()
        await peer.closed()

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            head = request("POST", "/v1/files", None, "content-type: audio/wav", framing)
            await client.send(head + (b"5\r\npiece\r\n" if "chunked" in framing else b"piece"))
            await first.wait()
            leave(client)
            await upstream.until_finished(1, "the upstream's connection is closed")
        record = await asyncio.to_thread(proxy.record)
        assert (record.status, record.request_size) == (499, 5)
        assert [attempt.cause for attempt in record.attempts] == ["client_left"]


@pytest.mark.parametrize(
    ("kind", "framing", "piece"),
    [
        (b"text/event-stream", b"transfer-encoding: chunked", b"9\r\ndata: 1\n\n\r\n"),
        (b"application/json", b"content-length: 100", b'{"a":1234'),
        (b"audio/mpeg", b"transfer-encoding: chunked", b"9\r\n123456789\r\n"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/other"])
async def test_in_the_middle_of_the_answer(
    start_proxy: StartProxy, leave: Leave, path: str, kind: bytes, framing: bytes, piece: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(
            b"HTTP/1.1 200 OK\r\ncontent-type: " + kind + b"\r\n" + framing + b"\r\n\r\n" + piece
        )
        await peer.closed()

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", path, STREAM, JSON))
            await client.head()
            await client.reader.readexactly(9)
            leave(client)
            await upstream.until_finished(1, "the upstream's connection is closed")
        record = await asyncio.to_thread(proxy.record)
        assert (record.status, record.response_size) == (499, 9)
        assert [(attempt.status, attempt.cause) for attempt in record.attempts] == [(200, "client_left")]


async def test_while_a_retry_is_waited_for(start_proxy: StartProxy, leave: Leave) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 503 Busy\r\nretry-after: 5\r\ncontent-length: 0\r\n\r\n")
        await peer.closed()

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", "/v1/chat/completions", CHAT, JSON))
            await until(lambda: len(upstream.requests) == 1, "the upstream has the request")
            leave(client)
        record = await asyncio.to_thread(proxy.record)
        assert record.status == 499
        assert len(upstream.requests) == 1


async def test_while_it_does_not_read(start_proxy: StartProxy, leave: Leave) -> None:
    """The proxy waits for the agent to read, and so does the upstream, until the agent goes."""

    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        block = b"data: " + b"x" * 60_000 + b"\n\n"
        while True:
            peer.writer.write(block)
            await peer.writer.drain()
            sent.append(len(block))

    sent: list[int] = []
    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", "/v1/chat/completions", STREAM, JSON))
            await client.head()
            await stalled(sent)
            leave(client)
            await upstream.until_finished(1, "the upstream's connection is closed")
        assert sum(sent) < 64_000_000
        assert (await asyncio.to_thread(proxy.record)).status == 499


async def stalled(sent: list[int]) -> None:
    """Wait until a sender gets no further."""
    before = -1
    while len(sent) != before:
        before = len(sent)
        await asyncio.sleep(0.2)


async def test_after_the_end_it_is_an_answered_call(start_proxy: StartProxy, leave: Leave) -> None:
    """SDKs close as soon as they have read the end marker, with the upstream's last chunk still to come."""

    async def script(peer: Peer) -> None:
        await peer.answer(SSE_HEAD + b"e\r\ndata: [DONE]\n\n\r\n")
        await peer.closed()

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", "/v1/chat/completions", STREAM, JSON))
            await client.head()
            assert await client.chunk() == b"data: [DONE]\n\n"
            leave(client)
            await upstream.until_finished(1, "the upstream's connection is closed")
        record = await asyncio.to_thread(proxy.record)
        assert (record.status, record.attempts[-1].cause) == (200, "")


async def test_with_more_requests_waiting_in_the_pipeline(start_proxy: StartProxy, leave: Leave) -> None:
    async with scripted(silent) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", "/v1/chat/completions", CHAT, JSON) * 3)
            await until(lambda: len(upstream.requests) == 1, "the upstream has the first request")
            client.reset()
            await upstream.until_finished(1, "the upstream's connection is closed")
        records = await asyncio.to_thread(proxy.records, 3)
        assert {record.status for record in records} == {499}
        assert len(upstream.requests) == 1


async def test_with_a_control_page_waiting_in_the_pipeline(start_proxy: StartProxy, leave: Leave) -> None:
    async with scripted(silent) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(
                request("POST", "/v1/chat/completions", CHAT, JSON),
                request("POST", "/stats", b"x", JSON),
            )
            await until(lambda: len(upstream.requests) == 1, "the upstream has the request")
            leave(client)
            await upstream.until_finished(1, "the upstream's connection is closed")
        record = await asyncio.to_thread(proxy.record)
        assert record.status == 499


async def test_many_leave_and_no_connection_stays_open(start_proxy: StartProxy) -> None:
    async with scripted(silent) as upstream:
        proxy = start_proxy(upstream.url)

        async def come_and_go(number: int) -> None:
            async with connected(proxy.port) as client:
                await client.send(request("POST", "/v1/chat/completions", CHAT, JSON))
                await until(lambda: len(upstream.requests) > number % 20, "requests arrive")

        await asyncio.gather(*(come_and_go(number) for number in range(40)))
        await until(lambda: upstream.finished == len(upstream.peers), "every upstream connection is closed")
        await asyncio.to_thread(proxy.records, 40)


def test_the_simulator_sees_the_cancellation(
    proxy: RunningProxy, llm: RunningServer, llm_app: Recorder
) -> None:
    """The same with a real server behind: nothing goes on being generated."""
    before = llm_app.counts.started
    streamed = CHAT[:-1] + b',"stream":true}'

    async def leave_during_a_stall() -> None:
        async with connected(proxy.port) as client:
            lines = (JSON, "x-simulate: stall=body;seconds=60;after=10")
            await client.send(request("POST", "/v1/chat/completions", streamed, *lines))
            await client.head()

    asyncio.run(leave_during_a_stall())
    assert llm_app.counts.started == before + 1
    wait_for(lambda: llm_app.counts.active == 0, "the stall of a minute is over at once")
    assert proxy.record().status == 499
