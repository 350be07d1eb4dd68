"""What comes back: heads, framings, splits, large and many bodies."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.transport.base import Headers, Request, Transport
from proxy.transport.lean import LeanTransport
from tests.proxy.transport.peer import Peer, scripted

MEBIBYTE = 1024 * 1024
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"

RESPONSES: dict[str, tuple[str, bytes, int, bytes, Headers, bytes]] = {
    "a length": (
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a:2  \r\nX-Empty:\r\n\r\nhello",
        200,
        b"OK",
        [(b"content-length", b"5"), (b"x-a", b"1"), (b"x-a", b"2"), (b"x-empty", b"")],
        b"hello",
    ),
    "no body announced": (
        "POST",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        200,
        b"OK",
        [(b"content-length", b"0")],
        b"",
    ),
    "chunks": (
        "POST",
        CHUNKED + b"5\r\nhello\r\n1;ext=1\r\n \r\n00005\r\nworld\r\n0\r\n\r\n",
        200,
        b"OK",
        [(b"transfer-encoding", b"chunked")],
        b"hello world",
    ),
    "chunks and trailers": (
        "GET",
        CHUNKED + b"2\r\nok\r\n0\r\nx-checksum: 1\r\nx-more: 2\r\n\r\n",
        200,
        b"OK",
        [(b"transfer-encoding", b"chunked")],
        b"ok",
    ),
    "an answer to HEAD": (
        "HEAD",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n",
        200,
        b"OK",
        [(b"content-length", b"1000")],
        b"",
    ),
    "204": (
        "DELETE",
        b"HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n",
        204,
        b"No Content",
        [(b"x-a", b"1")],
        b"",
    ),
    "304 with a length": (
        "GET",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
        304,
        b"Not Modified",
        [(b"content-length", b"9")],
        b"",
    ),
    "an empty reason": (
        "GET",
        b"HTTP/1.1 429 \r\ncontent-length: 2\r\n\r\nno",
        429,
        b"",
        [(b"content-length", b"2")],
        b"no",
    ),
    "an unknown status": (
        "GET",
        b"HTTP/1.1 529 Overloaded\r\ncontent-length: 2\r\n\r\nno",
        529,
        b"Overloaded",
        [(b"content-length", b"2")],
        b"no",
    ),
    "interim heads": (
        "POST",
        INTERIM + b"HTTP/1.1 201 Made\r\ncontent-length: 2\r\n\r\nok",
        201,
        b"Made",
        [(b"content-length", b"2")],
        b"ok",
    ),
    "encoded content, left alone": (
        "GET",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00",
        200,
        b"OK",
        [(b"content-encoding", b"gzip"), (b"content-length", b"4")],
        b"\x1f\x8b\x08\x00",
    ),
    "a redirect, not followed": (
        "GET",
        b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nset-cookie: a=1\r\ncontent-length: 0\r\n\r\n",
        302,
        b"Found",
        [(b"location", b"/elsewhere"), (b"set-cookie", b"a=1"), (b"content-length", b"0")],
        b"",
    ),
    "bytes outside ASCII in a header": (
        "GET",
        b"HTTP/1.1 200 OK\r\nx-a: caf\xc3\xa9 \xff\r\ncontent-length: 0\r\n\r\n",
        200,
        b"OK",
        [(b"x-a", b"caf\xc3\xa9 \xff"), (b"content-length", b"0")],
        b"",
    ),
}
CLOSING: dict[str, tuple[bytes, bytes]] = {
    "until the end": (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
    "until the end, empty": (b"HTTP/1.1 200 OK\r\nx-a: 1\r\n\r\n", b""),
    "connection: close": (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", b"ok"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok"),
    "HTTP/1.0 until the end": (b"HTTP/1.0 200 OK\r\n\r\nok", b"ok"),
}


@pytest.mark.parametrize("name", RESPONSES)
async def test_responses_are_read_and_the_connection_used_again(transport: Transport, name: str) -> None:
    method, raw, status, reason, headers, body = RESPONSES[name]

    async def answer(peer: Peer) -> None:
        while True:
            await peer.answer(raw)

    async with scripted(answer) as server:
        for _ in range(3):
            response = await transport.send(Request(method, server.url + "/", []))
            assert (response.status, response.reason, response.headers) == (status, reason, headers)
            assert await response.read() == body
            await response.aclose()
            await response.aclose()
        assert len(server.peers) == 1
        assert not any(b"cookie" in request.head for request in server.requests)


@pytest.mark.parametrize("name", CLOSING)
async def test_responses_that_end_their_connection(transport: Transport, name: str) -> None:
    raw, body = CLOSING[name]

    async def answer_and_close(peer: Peer) -> None:
        await peer.answer(raw)

    async with scripted(answer_and_close) as server:
        for _ in range(2):
            response = await transport.send(Request("GET", server.url + "/", []))
            assert await response.read() == body
            await response.aclose()
        assert len(server.peers) == 2


@pytest.mark.parametrize("name", ["connection: close", "HTTP/1.0"])
async def test_a_closing_response_is_not_waited_out(transport: Transport, name: str) -> None:
    async def answer_and_wait(peer: Peer) -> None:
        await peer.answer(CLOSING[name][0])
        await peer.closed()

    async with scripted(answer_and_wait) as server:
        for _ in range(2):
            response = await transport.send(Request("GET", server.url + "/", []))
            assert await response.read() == b"ok"
            await response.aclose()
        await server.until_finished(2, "the client closed what the server would not use again")


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_splits_do_not_matter(transport: Transport, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*RESPONSES, *CLOSING]))
    raw = RESPONSES[name][1] if name in RESPONSES else CLOSING[name][0]
    method = RESPONSES[name][0] if name in RESPONSES else "GET"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=12)))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]

    async def answer(peer: Peer) -> None:
        await peer.answer(*pieces)

    async with scripted(answer) as server:
        response = await transport.send(Request(method, server.url + "/", []))
        body = await response.read()
        await response.aclose()
    if name in RESPONSES:
        expected = RESPONSES[name][2:]
        assert (response.status, response.reason, response.headers, body) == expected
    else:
        assert (response.status, body) == (200, CLOSING[name][1])


async def test_every_single_split_of_one_response(lean: LeanTransport) -> None:
    raw = RESPONSES["interim heads"][1]

    async def answer(peer: Peer) -> None:
        for cut in range(1, len(raw)):
            await peer.answer(raw[:cut], raw[cut:])

    async with scripted(answer) as server:
        for _ in range(1, len(raw)):
            response = await lean.send(Request("GET", server.url + "/", []))
            assert (response.status, response.headers) == (201, [(b"content-length", b"2")])
            assert await response.read() == b"ok"


async def test_chunks_are_handed_on_as_they_arrive(transport: Transport) -> None:
    go_on = asyncio.Event()

    async def stream(peer: Peer) -> None:
        await peer.answer(CHUNKED)
        for _ in range(5):
            await peer.send(b"6\r\ndata: \r\n")
            await go_on.wait()
            go_on.clear()
        await peer.send(b"0\r\n\r\n")

    async with scripted(stream) as server:
        response = await transport.send(Request("GET", server.url + "/", []))
        seen = 0
        async for chunk in response.chunks():
            assert chunk == b"data: "
            seen += 1
            go_on.set()
        assert seen == 5
        await response.aclose()


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_slow_reader_slows_the_server_down(transport: Transport, chunked: bool) -> None:
    block, count = bytes(MEBIBYTE), 50
    sent = 0

    async def pour(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        peer.writer.transport.set_write_buffer_limits(high=0)
        length = b"content-length: %d" % (count * MEBIBYTE)
        peer.writer.write(CHUNKED if chunked else b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n")
        for _ in range(count):
            peer.writer.write(b"100000\r\n" + block + b"\r\n" if chunked else block)
            await peer.writer.drain()
            sent += MEBIBYTE
        await peer.send(b"0\r\n\r\n" if chunked else b"")

    async with scripted(pour) as server:
        response = await transport.send(Request("GET", server.url + "/", []))
        before = -1
        while sent != before:  # until it has stalled
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 20 * MEBIBYTE, "what nobody reads must stay with the server"
        total = largest = 0
        async for chunk in response.chunks():
            total += len(chunk)
            largest = max(largest, len(chunk))
        assert total == count * MEBIBYTE
        assert largest <= MEBIBYTE, "no more than this was buffered at once"
        await response.aclose()


async def test_a_thousand_streams_at_once(transport: Transport) -> None:
    everybody = asyncio.Event()

    async def stream(peer: Peer) -> None:
        number = (await peer.request()).body
        if len(peer.server.requests) == 1000:
            everybody.set()
        peer.writer.write(CHUNKED)
        await everybody.wait()
        for step in range(5):
            event = b"data: %b.%d\n\n" % (number, step)
            await peer.send(b"%x\r\n%b\r\n" % (len(event), event))
        await peer.send(b"0\r\n\r\n")

    async def read(url: str, number: int) -> None:
        response = await transport.send(Request("POST", url, [], b"%d" % number))
        assert await response.read() == b"".join(b"data: %d.%d\n\n" % (number, step) for step in range(5))
        await response.aclose()

    async with scripted(stream) as server:
        await asyncio.gather(*(read(server.url + "/", number) for number in range(1000)))
        assert len(server.peers) == 1000
