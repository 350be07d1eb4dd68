"""What goes wrong, and the error that says so: the map of faults is complete."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from proxy.transport.base import (
    ConnectError,
    ConnectTimeout,
    FirstByteTimeout,
    IdleTimeout,
    ProtocolError,
    ReadError,
    Request,
    Response,
    SendError,
    Timeouts,
    Transport,
    TransportError,
)
from proxy.transport.lean import LeanTransport
from tests.proxy.transport.peer import Peer, scripted, until

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


PATIENT = Timeouts(connect=5.0, first_byte=10.0, idle=10.0)


@dataclass(frozen=True)
class Fault:
    """A server that reads the request, sends these pieces, then `then` happens."""

    pieces: tuple[bytes, ...]
    then: str
    """close, reset, or hang."""
    error: type[TransportError]
    timeouts: Timeouts = PATIENT


IN_THE_HEAD = {
    "closed without a word": Fault((), "close", SendError),
    "reset without a word": Fault((), "reset", SendError),
    "closed within the head": Fault((b"HTTP/1.1 200 OK\r\nx-a",), "close", SendError),
    "closed after an interim head": Fault((b"HTTP/1.1 100 Continue\r\n\r\n",), "close", SendError),
    "silent": Fault((), "hang", FirstByteTimeout, Timeouts(first_byte=0.1)),
    "silent after an interim head": Fault(
        (b"HTTP/1.1 103 Hints\r\n\r\n",), "hang", FirstByteTimeout, Timeouts(first_byte=0.1)
    ),
    "not HTTP": Fault((b"SSH-2.0-OpenSSH_9.9\r\n\r\n",), "hang", ProtocolError),
    "HTML from nowhere": Fault((b"<html><body>hello</body></html>\r\n\r\n",), "hang", ProtocolError),
    "a status that is no number": Fault((b"HTTP/1.1 abc OK\r\n\r\n",), "hang", ProtocolError),
    "a header without a colon": Fault((b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",), "hang", ProtocolError),
    "a length that is no number": Fault(
        (b"HTTP/1.1 200 OK\r\ncontent-length: ten\r\n\r\n",), "hang", ProtocolError
    ),
    "two lengths": Fault(
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nok",), "hang", ProtocolError
    ),
    "a length and chunks": Fault(
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",),
        "hang",
        ProtocolError,
    ),
    "chunks and a length": Fault(
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",),
        "hang",
        ProtocolError,
    ),
    "another protocol, unasked": Fault(
        (b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",),
        "hang",
        ProtocolError,
    ),
    "one enormous header": Fault(
        (b"HTTP/1.1 200 OK\r\nx-a: ", b"a" * 140_000, b"\r\n\r\n"), "hang", ProtocolError
    ),
    "a thousand headers": Fault(
        (b"HTTP/1.1 200 OK\r\n", *(b"x-%d: %b\r\n" % (n, b"a" * 100) for n in range(1000)), b"\r\n"),
        "hang",
        ProtocolError,
    ),
    "an enormous head with its body, at once": Fault(
        (b"HTTP/1.1 200 OK\r\nx-a: " + b"a" * 140_000 + b"\r\ncontent-length: 2\r\n\r\nok",),
        "hang",
        ProtocolError,
    ),
}
IN_THE_BODY = {
    "closed within the length": Fault((HEAD, b"half"), "close", ReadError),
    "reset within the length": Fault((HEAD, b"half"), "reset", ReadError),
    "closed within a chunk": Fault((CHUNKED, b"a\r\nhalf"), "close", ReadError),
    "closed between chunks": Fault((CHUNKED, b"4\r\nhalf\r\n"), "close", ReadError),
    "closed before the last line": Fault((CHUNKED, b"4\r\nhalf\r\n0\r\n"), "close", ReadError),
    "reset while it runs until the end": Fault((b"HTTP/1.1 200 OK\r\n\r\n", b"half"), "reset", ReadError),
    "a chunk size that is no number": Fault((CHUNKED, b"4\r\nhalf\r\n", b"zz\r\nno\r\n"), "hang", ReadError),
    "a chunk longer than it said": Fault((CHUNKED, b"4\r\nhalf\r\n", b"1\r\nlong\r\n"), "hang", ReadError),
    "stalled within the length": Fault((HEAD, b"half"), "hang", IdleTimeout, Timeouts(idle=0.1)),
    "stalled after the head": Fault((CHUNKED,), "hang", IdleTimeout, Timeouts(idle=0.1)),
}


async def collect(response: Response, into: bytearray) -> None:
    async for chunk in response.chunks():
        into += chunk


async def play(peer: Peer, fault: Fault) -> None:
    await peer.answer(*fault.pieces)
    if fault.then == "reset":
        peer.reset()
    elif fault.then == "hang":
        await peer.closed()


@pytest.mark.parametrize("name", IN_THE_HEAD)
async def test_faults_before_the_response_head(transport: Transport, name: str) -> None:
    fault = IN_THE_HEAD[name]
    async with scripted(lambda peer: play(peer, fault)) as server:
        with pytest.raises(TransportError) as caught:
            await transport.send(
                Request("POST", server.url + "/?key=secret", [], b"secret", timeouts=fault.timeouts)
            )
        assert type(caught.value) is fault.error
        assert "127.0.0.1" in str(caught.value)
        assert "secret" not in str(caught.value)
        await server.until_finished(1, "the connection is closed")
        assert len(server.peers) == 1, "a fresh connection that fails is not tried again"


@pytest.mark.parametrize("name", IN_THE_BODY)
async def test_faults_in_the_response_body(transport: Transport, name: str) -> None:
    fault = IN_THE_BODY[name]
    async with scripted(lambda peer: play(peer, fault)) as server:
        request = Request("POST", server.url + "/", [], b"{}", timeouts=fault.timeouts)
        response = await transport.send(request)
        assert response.status == 200
        body = bytearray()
        with pytest.raises(TransportError) as caught:
            await collect(response, body)
        assert type(caught.value) is fault.error
        assert "127.0.0.1" in str(caught.value)
        if fault.then != "reset":  # a reset may overtake what was sent before it
            assert b"halfl".startswith(body)
        await response.aclose()
        await server.until_finished(1, "the connection is closed")


@pytest.mark.parametrize("name", IN_THE_BODY)
async def test_read_fails_like_chunks(transport: Transport, name: str) -> None:
    fault = IN_THE_BODY[name]
    async with scripted(lambda peer: play(peer, fault)) as server:
        response = await transport.send(Request("GET", server.url + "/", [], timeouts=fault.timeouts))
        with pytest.raises(fault.error):
            await response.read()
        await response.aclose()


async def test_a_refused_connection(transport: Transport) -> None:
    async def nobody(peer: Peer) -> None:
        pass

    async with scripted(nobody) as server:
        pass
    with pytest.raises(ConnectError) as caught:
        await transport.send(Request("POST", server.url + "/", [], b"{}"))
    assert type(caught.value) is ConnectError


async def test_a_name_that_does_not_resolve(transport: Transport) -> None:
    with pytest.raises(ConnectError, match=r"nowhere\.invalid"):
        await transport.send(
            Request("POST", "http://nowhere.invalid/", [], b"{}", timeouts=Timeouts(connect=60.0))
        )


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "xn--\u00e9.example", "[::1", "[zz]"])
async def test_a_host_that_cannot_be(transport: Transport, host: str) -> None:
    with pytest.raises(ConnectError):
        await transport.send(Request("GET", f"http://{host}/", []))


async def test_a_tls_handshake_that_never_ends(transport: Transport) -> None:
    async with scripted(Peer.closed) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(ConnectTimeout):
            await transport.send(Request("GET", url + "/", [], timeouts=Timeouts(connect=0.1)))
        await server.until_finished(1, "the connection is closed")


async def test_an_idle_limit_counts_from_piece_to_piece(transport: Transport) -> None:
    async def trickle(peer: Peer) -> None:
        await peer.answer(HEAD)
        for _ in range(10):
            await asyncio.sleep(0.1)
            await peer.send(b"x")

    async with scripted(trickle) as server:
        request = Request("GET", server.url + "/", [], timeouts=Timeouts(idle=0.6))
        response = await transport.send(request)
        assert await response.read() == b"x" * 10
        await response.aclose()


async def test_framing_that_breaks_in_the_same_packet_as_the_head(lean: LeanTransport) -> None:
    fault = replace(IN_THE_BODY["a chunk size that is no number"], pieces=(CHUNKED + b"4\r\nhalf\r\nzz\r\n",))
    async with scripted(lambda peer: play(peer, fault)) as server:
        response = await lean.send(Request("GET", server.url + "/", []))
        chunks = response.chunks()
        assert await anext(chunks) == b"half"
        with pytest.raises(ReadError, match="framing"):
            await anext(chunks)
        await until(lambda: lean.open_connections == 0, "the connection is closed")


async def test_trailers_have_a_limit(lean: LeanTransport) -> None:
    fault = Fault(
        (CHUNKED, b"4\r\nhalf\r\n0\r\n", *[b"x-a: " + b"a" * 9000 + b"\r\n"] * 10), "hang", ReadError
    )
    async with scripted(lambda peer: play(peer, fault)) as server:
        response = await lean.send(Request("GET", server.url + "/", []))
        with pytest.raises(ReadError, match="headers"):
            await response.read()
