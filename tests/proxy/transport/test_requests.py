"""What leaves: request heads, framing, bodies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from proxy.transport.aiohttp_client import AiohttpTransport
from proxy.transport.base import ConnectError, Headers, Request, SendError, Timeouts, Transport
from tests.proxy.transport.peer import Peer, scripted, until

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
MEBIBYTE = 1024 * 1024


async def keep_answering(peer: Peer) -> None:
    while True:
        request = await peer.request()
        await peer.send(OK[:-2] if request.head.startswith(b"HEAD") else OK)


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def fetch(transport: Transport, request: Request) -> bytes:
    response = await transport.send(request)
    body = await response.read()
    await response.aclose()
    return body


@pytest.mark.parametrize(
    ("method", "body", "framing"),
    [
        ("GET", b"", []),
        ("HEAD", b"", []),
        ("OPTIONS", b"", []),
        ("DELETE", b"", []),
        ("POST", b"", [b"content-length: 0"]),
        ("PUT", b"", [b"content-length: 0"]),
        ("PATCH", b"", [b"content-length: 0"]),
        ("POST", b"{}", [b"content-length: 2"]),
        ("DELETE", b"{}", [b"content-length: 2"]),
        ("GET", b"{}", [b"content-length: 2"]),
    ],
)
async def test_head_holds_what_was_given_and_the_framing(
    transport: Transport, method: str, body: bytes, framing: list[bytes]
) -> None:
    if isinstance(transport, AiohttpTransport) and (method, body) == ("DELETE", b""):
        framing = [b"content-length: 0"]  # aiohttp insists, and it means the same
    headers: Headers = [(b"x-one", b"1"), (b"x-two", b"two words"), (b"x-one", b"again"), (b"x-empty", b"")]
    async with scripted(keep_answering) as server:
        response = await transport.send(Request(method, server.url + "/v1/models", headers, body))
        await response.aclose()
        received = server.requests[0]
        host = server.url.removeprefix("http://").encode()
        first, *rest = received.lines
        assert first == f"{method} /v1/models HTTP/1.1".encode()
        given = [b"x-one: 1", b"x-two: two words", b"x-one: again", b"x-empty: "]
        assert sorted(rest) == sorted([b"host: " + host, *given, *framing])
        assert [line for line in rest if line.startswith(b"x-")] == given
        assert received.body == body


@pytest.mark.parametrize(
    ("suffix", "path"),
    [
        ("", b"/"),
        ("?a=1", b"/?a=1"),
        (
            "/v1/files/a%2Fb%20c?after=x%3Dy&limit=2&limit=3",
            b"/v1/files/a%2Fb%20c?after=x%3Dy&limit=2&limit=3",
        ),
        ("/v1/a//b/../c/./d;p=1", b"/v1/a//b/../c/./d;p=1"),
        ("/v1/x?q=a+b%2Bc,d:e@f/g?h", b"/v1/x?q=a+b%2Bc,d:e@f/g?h"),
        ("/%e4%BD%a0%41", b"/%e4%BD%a0%41"),
    ],
)
async def test_path_and_query_leave_as_they_are(transport: Transport, suffix: str, path: bytes) -> None:
    async with scripted(keep_answering) as server:
        assert await fetch(transport, Request("GET", server.url + suffix, [])) == b"ok"
        assert server.requests[0].lines[0] == b"GET " + path + b" HTTP/1.1"


async def test_ipv6_hosts(transport: Transport) -> None:
    async with scripted(keep_answering, host="::1") as server:
        assert await fetch(transport, Request("GET", server.url + "/", [])) == b"ok"
        assert b"host: " + server.url.removeprefix("http://").encode() in server.requests[0].lines


@pytest.mark.parametrize("size", [1, 2000, 40_000, 5 * MEBIBYTE])
async def test_bodies_of_bytes_arrive_whole(transport: Transport, size: int) -> None:
    body = bytes(range(251)) * (size // 251) + b"x" * (size % 251)
    async with scripted(keep_answering) as server:
        for _ in range(2):
            assert await fetch(transport, Request("POST", server.url + "/", [], body)) == b"ok"
        assert [request.body for request in server.requests] == [body, body]


@pytest.mark.parametrize("length", [None, 11])
async def test_bodies_from_iterators_arrive_whole(transport: Transport, length: int | None) -> None:
    framing = b"transfer-encoding: chunked" if length is None else b"content-length: 11"
    async with scripted(keep_answering) as server:
        for _ in range(2):
            body = pieces(b"hello", b"", b" ", b"world")
            assert await fetch(transport, Request("POST", server.url + "/", [], body, length)) == b"ok"
        for request in server.requests:
            assert request.body == b"hello world"
            assert framing in request.lines


async def test_an_iterator_is_pulled_no_faster_than_the_server_reads(transport: Transport) -> None:
    produced = 0
    go_on = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal produced
        for _ in range(32):
            produced += MEBIBYTE
            yield bytes(MEBIBYTE)

    async def read_late(peer: Peer) -> None:
        await go_on.wait()
        await peer.answer(OK)

    async with scripted(read_late) as server:
        sending = asyncio.create_task(fetch(transport, Request("POST", server.url + "/", [], endless())))
        await until(lambda: produced > 0, "the body was started")
        before = -1
        while produced != before:  # until it has stalled
            before = produced
            await asyncio.sleep(0.1)
        assert produced < 20 * MEBIBYTE, "a server that does not read must stop the body"
        go_on.set()
        assert await sending == b"ok"
        assert len(server.requests[0].body) == 32 * MEBIBYTE


@pytest.mark.parametrize(("parts", "length"), [((b"abc",), 5), ((b"abc", b"def"), 5), ((), 1)])
async def test_a_body_that_belies_its_length_is_not_completed(
    transport: Transport, parts: tuple[bytes, ...], length: int
) -> None:
    async with scripted(keep_answering) as server:
        with pytest.raises(SendError, match="request body"):
            await transport.send(Request("POST", server.url + "/", [], pieces(*parts), length))
        await server.until_finished(1, "the connection was closed")
        assert server.requests == []


async def test_what_the_callers_own_iterator_raises_comes_back(transport: Transport) -> None:
    class AgentLeft(Exception):
        pass

    async def failing() -> AsyncIterator[bytes]:
        yield b"half"
        raise AgentLeft

    async with scripted(keep_answering) as server:
        with pytest.raises(AgentLeft):
            await transport.send(Request("POST", server.url + "/", [], failing()))
        await server.until_finished(1, "the connection was closed")
        assert server.requests == []


@pytest.mark.parametrize("framed", [True, False])
async def test_a_response_that_comes_before_the_body_is_sent_is_handed_on(
    transport: Transport, framed: bool
) -> None:
    hold = asyncio.Event()

    async def unfinished() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        await hold.wait()

    async def refuse(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
        await peer.closed()

    async with scripted(refuse) as server:
        length = 5000 if framed else None
        response = await transport.send(Request("POST", server.url + "/", [], unfinished(), length))
        assert (response.status, await response.read()) == (413, b"big")
        await response.aclose()
        await server.until_finished(1, "the half-used connection was closed")


@pytest.mark.parametrize("method", ["GE T", "GET\r\nx: y", "GÉT", ""])
async def test_methods_that_are_no_methods_are_refused(transport: Transport, method: str) -> None:
    async with scripted(keep_answering) as server:
        with pytest.raises(ConnectError):
            await transport.send(Request(method, server.url + "/", []))
        assert server.requests == []


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("ftp://127.0.0.1/x", []),
        ("/v1/models", []),
        ("", []),
        ("http:///v1", []),
        ("http://127.0.0.1:99999/", []),
        ("http://user:secret@127.0.0.1/", []),
        ("http://127.0.0.1:1/a b", []),
        ("http://127.0.0.1:1/a\r\nx: y", []),
        ("http://127.0.0.1:1/é", []),
        ("OK", [(b"x-a", b"1\r\nx-b: 2")]),
        ("OK", [(b"x-a", b"1\nx-b: 2")]),
        ("OK", [(b"x-a\r\nx-b", b"1")]),
    ],
)
async def test_what_cannot_be_sent_is_refused_before_it_is(
    transport: Transport, url: str, headers: Headers
) -> None:
    async with scripted(keep_answering) as server:
        request = Request("GET", server.url if url == "OK" else url, headers, timeouts=Timeouts(connect=5.0))
        with pytest.raises(ConnectError) as caught:
            await transport.send(request)
        assert server.requests == []
        assert "secret" not in str(caught.value)
