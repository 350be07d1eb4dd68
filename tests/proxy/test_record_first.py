"""The record is in the journal before the agent can have the last byte."""

from __future__ import annotations

import asyncio

import pytest

from tests.proxy.conftest import StartProxy
from tests.proxy.raw import connected, request
from tests.proxy.transport.peer import Peer, scripted

JSON = "content-type: application/json"
STREAM = b'{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"messages":[]}'
SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("split", [0, 5, -1])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/v1/files"])
async def test_a_body_of_known_length(start_proxy: StartProxy, path: str, split: int) -> None:
    """With its head in one packet, in two pieces, and with only its last byte missing."""
    body = b'{"object": "x"}'
    seen = asyncio.Event()

    async def script(peer: Peer) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        await peer.answer(head + body[:split])
        if split:
            await seen.wait()
        await peer.send(body[split:])

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", path, STREAM, JSON))
            await client.head()
            if split:
                assert await client.reader.readexactly(len(body[:split])) == body[:split]
                assert proxy.journaled() == []
                seen.set()
            await client.reader.readexactly(len(body[split:]))
            (record,) = proxy.journaled()
        assert record.response == body


ENDS = {
    "/v1/chat/completions": b'data: {"choices": []}\n\ndata: [DONE]\n\n',
    "/v1/completions": b"data: {}\r\n\r\ndata:[DONE]\r\n\r\n",
    "/v1/responses": b'event: a\ndata: {}\n\nevent: response.completed\ndata: {"response": {"usage": {}}}\n\n',
    "/v1/messages": b'event: ping\ndata: {}\n\nevent: message_stop\ndata: {"type": "message_stop"}\n\n',
}


@pytest.mark.parametrize("path", sorted(ENDS))
@pytest.mark.parametrize("cut", [0, 1, 2, 9, 20])
async def test_an_event_stream_ends_with_its_marker(start_proxy: StartProxy, path: str, cut: int) -> None:
    """The upstream never ends its body; whoever has the end marker has everything, and so has the journal."""
    stream = ENDS[path]
    before = len(stream) - cut
    seen = asyncio.Event()

    async def script(peer: Peer) -> None:
        pieces = [stream[:before], stream[before:]]
        await peer.answer(SSE_HEAD + b"%x\r\n%b\r\n" % (before, pieces[0]))
        if cut:
            await seen.wait()
            await peer.send(b"%x\r\n%b\r\n" % (cut, pieces[1]))
        await peer.closed()

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", path, STREAM, JSON))
            await client.head()
            assert await client.chunk() == stream[:before]
            if cut:
                assert proxy.journaled() == []
                seen.set()
                assert await client.chunk() == stream[before:]
            (record,) = proxy.journaled()
        assert (record.status, record.response) == (200, stream)


@pytest.mark.parametrize(
    "inside",
    [
        b'data: {"content": "data: [DONE]\\n\\n"}\n\n',
        b'data: {"x": "event: message_stop"}\n\n',
        b": data: [DONE]\n\n",
    ],
)
async def test_a_marker_within_a_line_ends_nothing(start_proxy: StartProxy, inside: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(SSE_HEAD + b"%x\r\n%b\r\n" % (len(inside), inside))
        await peer.closed()

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", "/v1/chat/completions", STREAM, JSON))
            await client.head()
            assert await client.chunk() == inside
            assert proxy.journaled() == []
        record = await asyncio.to_thread(proxy.record)
        assert record.status == 499


async def test_an_answer_without_length_is_recorded_before_its_end(start_proxy: StartProxy) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{}")

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", "/v1/chat/completions", STREAM, JSON))
            assert (await client.answer()).body == b"{}"
            assert len(proxy.journaled()) == 1
