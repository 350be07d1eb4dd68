"""The agent's side of a call, with a wire that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from proxy.agent import Agent
from proxy.agent_headers import AgentHeaders
from proxy.errors import ClientLeft, Refusal


class Remembering:
    """Satisfies agent.Wire."""

    def __init__(self) -> None:
        self.written = b""
        self.paused = False
        self.completions = 0
        self.is_cut = False

    def write(self, data: bytes) -> None:
        self.written += data

    def flush(self) -> asyncio.Future[None] | None:
        return None

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def completed(self, agent: Agent) -> None:
        self.completions += 1

    def cut(self) -> None:
        self.is_cut = True


def agent_on(
    wire: Remembering,
    method: str = "POST",
    *,
    has_body: bool = True,
    http_1_0: bool = False,
    expects_continue: bool = False,
    body_seconds: float = 20,
) -> Agent:
    return Agent(
        wire,
        method,
        b"/v1/x",
        AgentHeaders([]),
        length=None,
        has_body=has_body,
        http_1_0=http_1_0,
        keep_alive=not http_1_0,
        body_seconds=body_seconds,
        expects_continue=expects_continue,
    )


@pytest.fixture
def wire() -> Remembering:
    return Remembering()


async def collected(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def test_a_body_past_the_limit_is_handed_out_as_far_as_it_came(wire: Remembering) -> None:
    agent = agent_on(wire)
    agent.feed(b"x" * 11)
    assert await agent.read_body(10) == (b"x" * 11, False)
    rest = asyncio.create_task(collected(agent.stream_body()))
    agent.feed(b"y")
    agent.complete()
    assert await rest == b"y"


async def test_reading_whole_lifts_the_pause(wire: Remembering) -> None:
    agent = agent_on(wire)
    agent.feed(b"x" * 300_000)
    paused = [wire.paused]
    reading = asyncio.create_task(agent.read_body(1_000_000))
    await asyncio.sleep(0)
    paused.append(wire.paused)
    agent.feed(b"x" * 300_000)
    paused.append(wire.paused)
    agent.complete()
    body, complete = await reading
    assert (len(body), complete) == (600_000, True)
    assert paused == [True, False, False]


@pytest.mark.parametrize("http_1_0", [False, True])
async def test_continue_is_said_once_and_not_to_http_1_0(wire: Remembering, http_1_0: bool) -> None:
    agent = agent_on(wire, expects_continue=True, http_1_0=http_1_0)
    reading = asyncio.create_task(agent.read_body(10))
    await asyncio.sleep(0)
    agent.feed(b"x")
    await asyncio.sleep(0)
    agent.complete()
    await reading
    assert wire.written == (b"" if http_1_0 else b"HTTP/1.1 100 Continue\r\n\r\n")


async def test_leaving_and_spoilt_bodies_end_the_wait(wire: Remembering) -> None:
    leaving, spoilt = agent_on(wire), agent_on(wire)
    readings = [asyncio.create_task(agent.read_body(10)) for agent in (leaving, spoilt)]
    await asyncio.sleep(0)
    leaving.lost()
    spoilt.spoil()
    with pytest.raises(ClientLeft):
        await readings[0]
    with pytest.raises(Refusal) as refusal:
        await readings[1]
    assert refusal.value.status == 400


async def test_a_watched_call_is_cancelled_when_its_agent_leaves(wire: Remembering) -> None:
    agent = agent_on(wire, has_body=False)

    async def call() -> None:
        agent.watch()
        await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(call())
    agent.begin(task)
    await asyncio.sleep(0)
    agent.lost()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ClientLeft):
        agent.watch()


def test_leaving_after_the_answer_is_no_leaving(wire: Remembering) -> None:
    agent = agent_on(wire, has_body=False)
    agent.start(200, b"", length=1)
    agent.finish(b"x")
    agent.lost()
    assert (agent.left, agent.disconnected, wire.completions) == (False, True, 1)


@pytest.mark.parametrize(
    ("method", "http_1_0", "status", "length", "written"),
    [
        ("POST", False, 200, 3, b"HTTP/1.1 200 OK\r\nx: 1\r\ncontent-length: 3\r\n\r\nabc"),
        (
            "POST",
            False,
            200,
            None,
            b"HTTP/1.1 200 OK\r\nx: 1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ),
        ("POST", True, 200, None, b"HTTP/1.1 200 OK\r\nx: 1\r\nconnection: close\r\n\r\nabc"),
        ("HEAD", False, 200, 3, b"HTTP/1.1 200 OK\r\nx: 1\r\ncontent-length: 3\r\n\r\n"),
        ("HEAD", False, 200, None, b"HTTP/1.1 200 OK\r\nx: 1\r\n\r\n"),
        ("POST", False, 599, 3, b"HTTP/1.1 599 \r\nx: 1\r\ncontent-length: 3\r\n\r\nabc"),
    ],
)
def test_framing(
    wire: Remembering, method: str, http_1_0: bool, status: int, length: int | None, written: bytes
) -> None:
    agent = agent_on(wire, method, has_body=False, http_1_0=http_1_0)
    agent.start(status, b"x: 1\r\n", length=length)
    assert wire.written == b""
    agent.finish(b"abc")
    assert wire.written == written


def test_an_unread_body_closes_the_connection(wire: Remembering) -> None:
    agent = agent_on(wire)
    agent.start(413, b"", length=0)
    agent.finish()
    assert b"connection: close\r\n" in wire.written
    assert agent.unread


async def test_a_head_in_a_hurry_leaves_once(wire: Remembering) -> None:
    agent = agent_on(wire, has_body=False)
    agent.start(200, b"", length=1)
    agent.hurry()
    await asyncio.sleep(0)
    head = wire.written
    assert head.endswith(b"content-length: 1\r\n\r\n")
    agent.finish(b"x")
    assert wire.written == head + b"x"
