"""Which connection a request takes, and what becomes of it: reuse, staleness, cancellation, closing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from proxy.transport.base import ReadError, Request, SendError, Timeouts, Transport, TransportError
from proxy.transport.lean import LeanTransport
from tests.proxy.transport.conftest import MakeTransport
from tests.proxy.transport.peer import Peer, scripted, turns, until

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def keep_answering(peer: Peer) -> None:
    while True:
        await peer.answer(OK)


async def answer_once(peer: Peer) -> None:
    await peer.answer(OK)


async def fetch(transport: Transport, url: str, body: bytes | AsyncIterator[bytes] = b"{}") -> bytes:
    response = await transport.send(Request("POST", url + "/", [], body))
    content = await response.read()
    await response.aclose()
    return content


async def one_piece() -> AsyncIterator[bytes]:
    yield b"{}"


async def test_connections_are_used_again_one_request_at_a_time(transport: Transport) -> None:
    async with scripted(keep_answering) as server:
        for _ in range(20):
            assert await fetch(transport, server.url) == b"ok"
        assert len(server.peers) == 1
        await asyncio.gather(*(fetch(transport, server.url) for _ in range(10)))
        opened = len(server.peers)
        assert 2 <= opened <= 10
        await asyncio.gather(*(fetch(transport, server.url) for _ in range(10)))
        assert len(server.peers) == opened


async def test_targets_do_not_share_connections(transport: Transport) -> None:
    async with scripted(keep_answering) as one, scripted(keep_answering) as other:
        for url in (one.url, other.url, one.url.replace("127.0.0.1", "localhost")):
            assert await fetch(transport, url) == b"ok"
        assert (len(one.peers), len(other.peers)) == (2, 1)


@pytest.mark.parametrize("reset", [True, False])
async def test_a_connection_that_died_while_it_was_pooled_is_replaced(
    transport: Transport, reset: bool
) -> None:
    async def answer_then_die(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.reader.readexactly(1)  # the second request has begun: its connection dies under it
        if reset:
            peer.reset()

    async with scripted(answer_then_die) as server:
        for _ in range(3):
            assert await fetch(transport, server.url) == b"ok"
        assert len(server.peers) == 3
        assert [request.body for request in server.requests] == [b"{}"] * 3


async def test_a_connection_the_server_closed_is_not_taken(transport: Transport) -> None:
    async with scripted(answer_once) as server:
        for done in range(1, 4):
            assert await fetch(transport, server.url) == b"ok"
            await server.until_finished(done, "the server has closed")
            await turns()
        assert len(server.requests) == 3


async def test_a_replaced_connection_is_replaced_once(transport: Transport) -> None:
    async def first_answers_others_die(peer: Peer) -> None:
        if len(peer.server.peers) == 1:
            await peer.answer(OK)
        await peer.reader.readexactly(1)

    async with scripted(first_answers_others_die) as server:
        assert await fetch(transport, server.url) == b"ok"
        with pytest.raises(SendError):
            await fetch(transport, server.url)
        assert len(server.peers) == 2


async def test_nothing_is_sent_twice_once_an_answer_began(lean: LeanTransport) -> None:
    async def answer_then_half(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.answer(b"HTTP/1.1 200 O")

    async with scripted(answer_then_half) as server:
        assert await fetch(lean, server.url) == b"ok"
        with pytest.raises(SendError):
            await fetch(lean, server.url)
        assert len(server.peers) == 1


async def test_a_body_that_cannot_be_sent_twice_takes_a_fresh_connection(lean: LeanTransport) -> None:
    async with scripted(keep_answering) as server:
        assert await fetch(lean, server.url) == b"ok"
        assert await fetch(lean, server.url, one_piece()) == b"ok"
        assert len(server.peers) == 2


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", b"garbage"])
@pytest.mark.parametrize("late", [True, False])
async def test_bytes_after_a_response_never_answer_the_next_request(
    lean: LeanTransport, surplus: bytes, late: bool
) -> None:
    async def answer_too_much(peer: Peer) -> None:
        await peer.answer(*((OK, surplus) if late else (OK + surplus,)))
        await peer.closed()

    async with scripted(answer_too_much) as server:
        for done in range(1, 4):
            assert await fetch(lean, server.url) == b"ok"
            await server.until_finished(done, "the client has closed")
        assert len(server.peers) == 3


async def test_surplus_after_an_answer_to_head(lean: LeanTransport) -> None:
    async def answer_with_body(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.closed()

    async with scripted(answer_with_body) as server:
        response = await lean.send(Request("HEAD", server.url + "/", []))
        assert await response.read() == b""
        await server.until_finished(1, "the client has closed")


async def test_idle_connections_are_dropped(make_transport: MakeTransport) -> None:
    transport = make_transport(idle_seconds=0.1)
    async with scripted(keep_answering) as server:
        for done in range(1, 3):
            assert await fetch(transport, server.url) == b"ok"
            await server.until_finished(done, "the client has closed")


async def test_surplus_idle_connections_are_dropped() -> None:
    transport = LeanTransport(max_idle_per_host=2)
    async with scripted(keep_answering) as server:
        await asyncio.gather(*(fetch(transport, server.url) for _ in range(10)))
        await until(lambda: transport.open_connections == 2, "eight were closed")
        await transport.aclose()
        assert transport.open_connections == 0


async def test_a_busy_connection_outlives_the_idle_limit() -> None:
    transport = LeanTransport(idle_seconds=0.05)

    async def slow(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(0.2)
        await peer.send(OK)

    async with scripted(slow) as server:
        assert await fetch(transport, server.url) == b"ok"
    await transport.aclose()


async def test_cancelled_while_connecting(transport: Transport) -> None:
    async with scripted(Peer.closed) as server:
        request = Request("POST", server.url.replace("http:", "https:") + "/", [], b"{}")
        sending = asyncio.create_task(transport.send(request))
        await until(lambda: len(server.peers) == 1, "the handshake has begun")
        await cancel(sending)
        await server.until_finished(1, "the connection is closed")
        assert_holds_none(transport)


@pytest.mark.parametrize("reused", [True, False])
async def test_cancelled_before_the_head(transport: Transport, reused: bool) -> None:
    async def first_answers(peer: Peer) -> None:
        if reused:
            await peer.answer(OK)
        await peer.request()
        await peer.closed()

    async with scripted(first_answers) as server:
        if reused:
            await fetch(transport, server.url)
        before = len(server.requests)
        sending = asyncio.create_task(transport.send(Request("POST", server.url + "/", [], b"{}")))
        await until(lambda: len(server.requests) == before + 1, "the request has arrived")
        await cancel(sending)
        await server.until_finished(1, "the connection is closed")
        assert_holds_none(transport)


async def test_cancelled_while_sending(transport: Transport) -> None:
    started = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            started.set()
            yield bytes(65536)

    async def never_read(peer: Peer) -> None:
        await started.wait()
        await peer.closed()

    async with scripted(never_read) as server:
        sending = asyncio.create_task(transport.send(Request("POST", server.url + "/", [], endless())))
        await started.wait()
        await turns(20)
        await cancel(sending)
        await server.until_finished(1, "the connection is closed")
        assert_holds_none(transport)


@pytest.mark.parametrize("how", ["cancel", "aclose"])
async def test_left_in_the_middle_of_the_body(transport: Transport, how: str) -> None:
    async def half(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", b"half")
        await peer.closed()

    async with scripted(half) as server:
        response = await transport.send(Request("POST", server.url + "/", [], b"{}"))
        if how == "cancel":
            reading = asyncio.create_task(response.read())
            await turns(20)
            await cancel(reading)
        else:
            chunks = response.chunks()
            assert await anext(chunks) == b"half"
            await response.aclose()
        await server.until_finished(1, "the connection is closed")
        assert_holds_none(transport)
        await response.aclose()


async def test_cancelled_at_every_turn_of_the_loop(lean: LeanTransport) -> None:
    async def split(peer: Peer) -> None:
        while True:
            await peer.answer(OK[:10], OK[10:-1], OK[-1:])

    async with scripted(split) as server:
        for turn in range(40):
            task = asyncio.create_task(fetch(lean, server.url))
            await turns(turn)
            await cancel(task)
            assert await fetch(lean, server.url) == b"ok"
        await until(
            lambda: server.finished == len(server.peers) - lean.open_connections, "none is left behind"
        )
        assert lean.open_connections == 1


async def test_closing_the_transport_ends_what_is_under_way(lean: LeanTransport) -> None:
    async def head_only(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
        await peer.closed()

    async with (
        scripted(head_only) as reading,
        scripted(Peer.closed) as silent,
        scripted(keep_answering) as idle,
    ):
        await fetch(lean, idle.url)
        response = await lean.send(Request("GET", reading.url + "/", []))
        waiting = asyncio.create_task(lean.send(Request("GET", silent.url + "/", [])))
        await until(lambda: len(silent.peers) == 1, "it is connected")
        await lean.aclose()
        assert lean.open_connections == 0
        with pytest.raises(ReadError):
            await response.read()
        with pytest.raises(TransportError):
            await waiting
        with pytest.raises(TransportError, match="closed"):
            await lean.send(Request("GET", idle.url + "/", [], timeouts=Timeouts(connect=1.0)))
        await lean.aclose()


async def cancel(task: asyncio.Task[object]) -> None:
    task.cancel()
    await asyncio.wait([task])


def assert_holds_none(transport: Transport) -> None:
    if isinstance(transport, LeanTransport):
        assert transport.open_connections == 0
