"""Start, health and shutdown."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx2

from simulator.server import RunningServer
from tests.proxy.conftest import StartProxy
from tests.proxy.raw import connected, request
from tests.proxy.running import RunningProxy, wait_for
from tests.proxy.transport.peer import Peer, scripted

JSON = "content-type: application/json"
STREAM = b'{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"messages":[]}'
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def test_health_and_readiness_need_no_database(
    start_proxy: StartProxy, tmp_path: Path, llm: RunningServer
) -> None:
    (tmp_path / "away.db").mkdir()
    proxy = start_proxy(llm.url, store={"url": "sqlite:///away.db"})
    assert httpx2.get(f"{proxy.url}/healthz").json() == {"status": "ok"}
    assert httpx2.get(f"{proxy.url}/readyz").json() == {"status": "ready"}
    assert httpx2.get(f"{proxy.base_url}/models").status_code == 200
    stats = httpx2.get(f"{proxy.url}/stats").json()
    assert stats["database"]["status"] == "away"
    assert stats["lag"]["bytes"] > 0
    assert proxy.record().status == 200


def test_what_was_written_is_forced_to_disk_within_a_second_or_so(
    start_proxy: StartProxy, llm: RunningServer
) -> None:
    proxy = start_proxy(llm.url, store={"fsync": "second"})
    assert httpx2.get(f"{proxy.base_url}/models").status_code == 200
    answered = time.time()
    posted = proxy.worker.board.read
    wait_for(lambda: any(each.written > answered + 1 for each in posted()), "two rounds of housekeeping")
    assert len(proxy.worker.journal.unsynced()) == 0
    assert proxy.record().status == 200


def test_control_pages_answer_in_our_shape(proxy: RunningProxy) -> None:
    assert "drop-in" in httpx2.get(f"{proxy.url}/").text
    wrong = httpx2.get(f"{proxy.url}/stats?window=9y")
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (422, "window")
    assert "understudy_" in httpx2.get(f"{proxy.url}/metrics").text
    assert proxy.journaled() == []


async def test_shutdown_finishes_streams_and_flushes_the_journal(start_proxy: StartProxy) -> None:
    refused = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(SSE + b"9\r\ndata: 1\n\n\r\n")
        await refused.wait()
        await peer.send(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as idle, connected(proxy.port) as client:
            await client.send(request("POST", "/v1/chat/completions", STREAM, JSON))
            await client.head()
            assert await client.chunk() == b"data: 1\n\n"
            proxy.begin_shutdown()
            assert await idle.rest() == b""  # nobody is served on an idle connection any more
            refused.set()
            assert await client.chunk() == b"data: [DONE]\n\n"
            assert await client.chunk() == b""
            assert await client.rest() == b""
        await asyncio.to_thread(proxy.stop)
        (call,) = proxy.shipped()
        assert call.summary.status == 200
        assert not await accepts(proxy.port)


async def accepts(port: int) -> bool:
    """Whether a request gets an answer."""
    try:
        async with connected(port) as client:
            await client.send(request("GET", "/v1/models"))
            return await client.rest() != b""
    except OSError:
        return False


async def test_a_call_that_outlasts_the_drain_is_ended_and_recorded(start_proxy: StartProxy) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(SSE + b"9\r\ndata: 1\n\n\r\n")
        await peer.closed()

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url, server={"drain": "1s"})
        async with connected(proxy.port) as client:
            await client.send(request("POST", "/v1/chat/completions", STREAM, JSON))
            await client.head()
            await client.chunk()
            await asyncio.to_thread(proxy.stop)
            await upstream.until_finished(1, "the upstream's connection is closed")
        assert len(proxy.shipped()) == 1
