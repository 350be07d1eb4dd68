"""https: a real handshake, names checked, and the same conduct above it."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from proxy.transport.base import ConnectError, Request, Transport
from tests.proxy.transport.conftest import MakeTransport
from tests.proxy.transport.peer import Peer, scripted, until

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def keep_answering(peer: Peer) -> None:
    while True:
        await peer.answer(OK)


async def fetch(transport: Transport, url: str, body: bytes = b"{}") -> bytes:
    response = await transport.send(Request("POST", url + "/", [], body))
    content = await response.read()
    await response.aclose()
    return content


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_connections_over_tls_are_kept(
    make_transport: MakeTransport, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, host: str
) -> None:
    transport = make_transport(ssl_context=client_tls)
    async with scripted(keep_answering, tls=server_tls) as server:
        url = server.url.replace("127.0.0.1", host)
        for size in (2, 70_000, 2_000_000):
            assert await fetch(transport, url, b"x" * size) == b"ok"
        assert [len(request.body) for request in server.requests] == [2, 70_000, 2_000_000]
        assert len(server.peers) == 1


async def test_the_server_is_told_which_name_is_meant(
    make_transport: MakeTransport, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    names: list[str | None] = []
    server_tls.sni_callback = lambda socket, name, context: names.append(name)
    transport = make_transport(ssl_context=client_tls)
    async with scripted(keep_answering, tls=server_tls) as server:
        assert await fetch(transport, server.url.replace("127.0.0.1", "localhost")) == b"ok"
    assert names == ["localhost"]


async def test_a_certificate_that_nobody_vouches_for(
    transport: Transport, server_tls: ssl.SSLContext
) -> None:
    async with scripted(keep_answering, tls=server_tls) as server:
        with pytest.raises(ConnectError) as caught:
            await fetch(transport, server.url)
        assert type(caught.value) is ConnectError
        assert "certificate" in str(caught.value).lower()
        assert server.requests == []


async def test_a_certificate_for_another_name(
    make_transport: MakeTransport, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    transport = make_transport(ssl_context=client_tls)
    async with scripted(keep_answering, tls=server_tls, host="127.0.0.2") as server:
        with pytest.raises(ConnectError):
            await fetch(transport, server.url)
        assert server.requests == []


async def test_a_server_that_does_not_speak_tls(transport: Transport) -> None:
    async def plain(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.closed()

    async with scripted(plain) as server:
        with pytest.raises(ConnectError):
            await fetch(transport, server.url.replace("http:", "https:"))


async def test_streams_over_tls(
    make_transport: MakeTransport, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    transport = make_transport(ssl_context=client_tls)
    block = bytes(range(256)) * 4096

    async def pour(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(20):
            peer.writer.write(b"%x\r\n%b\r\n" % (len(block), block))
            await peer.writer.drain()
        await peer.send(b"0\r\n\r\n")

    async with scripted(pour, tls=server_tls) as server:
        response = await transport.send(Request("GET", server.url + "/", []))
        await asyncio.sleep(0.2)  # long enough for an unbounded buffer to fill
        assert await response.read() == block * 20
        await response.aclose()


async def test_a_body_until_the_end_over_tls(
    make_transport: MakeTransport, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def answer_and_close(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\n\r\n", b"until the end")

    transport = make_transport(ssl_context=client_tls)
    async with scripted(answer_and_close, tls=server_tls) as server:
        assert await fetch(transport, server.url) == b"until the end"


async def test_cancelling_over_tls_closes(
    make_transport: MakeTransport, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.closed()

    transport = make_transport(ssl_context=client_tls)
    async with scripted(silent, tls=server_tls) as server:
        sending = asyncio.create_task(fetch(transport, server.url))
        await until(lambda: len(server.requests) == 1, "the request has arrived")
        sending.cancel()
        await asyncio.wait([sending])
        await server.until_finished(1, "the connection is closed")
