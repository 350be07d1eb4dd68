"""Engines with several servers: who is asked, and that what dies is left alone and taken back."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from proxy.breaker import FAILURES
from simulator.server import RunningServer
from tests.proxy.conftest import StartProxy
from tests.proxy.engine import completion, engine
from tests.proxy.raw import Answer, connected, request
from tests.proxy.running import RunningProxy, wait_for
from tests.proxy.transport.peer import Peer, scripted, until

CHAT = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}).encode()


def sections(*urls: str, **rule: Any) -> dict[str, Any]:
    return {
        "engines": {"gpu": {"kind": "vllm", "base_urls": [f"{url}/v1" for url in urls]}},
        "slms": {"desk": {"engine": "gpu", "model": "desk-slm"}},
        "rules": [{"name": "all of it", "route": "desk"} | rule],
    }


async def post(proxy: RunningProxy, *lines: str) -> Answer:
    async with connected(proxy.port) as client:
        await client.send(
            request("POST", "/v1/chat/completions", CHAT, "content-type: application/json", *lines)
        )
        return await client.answer()


def said(answer: Answer) -> str:
    content: str = json.loads(answer.body)["choices"][0]["message"]["content"]
    return content


def fallback(answer: Answer) -> bytes | None:
    found: bytes | None = answer.header("x-understudy-fallback")
    return found


def left_alone(proxy: RunningProxy) -> list[bool]:
    """By server; one whose pause is over counts too, until a call has succeeded there."""
    return [server.breaker != "closed" for server in proxy.worker.live.engines.status()]


async def opens(proxy: RunningProxy, cause: bytes) -> None:
    """The breaker opens after failures in a row; on a slow machine its first pauses may be over at the next call."""
    assert [fallback(await post(proxy)) for _ in range(FAILURES)] == [cause] * FAILURES
    while (found := fallback(await post(proxy))) != b"breaker_open":
        assert found == cause


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nothing listens, and nobody else will."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


async def test_calls_in_turn_are_spread(start_proxy: StartProxy, llm: RunningServer) -> None:
    async with engine("one") as one, engine("two") as two:
        proxy = start_proxy(llm.url, **sections(one.url, two.url))
        answers = Counter([said(await post(proxy)) for _ in range(10)])
    assert answers == {"one": 5, "two": 5}


async def test_the_one_with_fewer_calls_in_flight_is_asked(
    start_proxy: StartProxy, llm: RunningServer
) -> None:
    """The first call stays unanswered until three others were; none of them waits behind it."""
    released = asyncio.Event()

    async def slow(peer: Peer) -> None:
        await peer.request()
        await released.wait()
        await peer.send(completion("slow"))

    async with scripted(slow) as one, engine("two") as two:
        proxy = start_proxy(llm.url, **sections(one.url, two.url))
        first = asyncio.create_task(post(proxy))
        await until(lambda: len(one.requests) == 1, "the first call has arrived")
        others = [said(await post(proxy)) for _ in range(3)]
        in_flight = {server.url: server.in_flight for server in proxy.worker.live.engines.status()}
        released.set()
        assert (said(await first), others) == ("slow", ["two"] * 3)
    assert in_flight == {f"{one.url}/v1": 1, f"{two.url}/v1": 0}
    wait_for(
        lambda: not any(server.in_flight for server in proxy.worker.live.engines.status()),
        "no call is in flight",
    )


async def test_a_server_that_is_down_costs_no_call_its_understudy(
    start_proxy: StartProxy, llm: RunningServer, closed_port: int
) -> None:
    async with engine("two") as two:
        proxy = start_proxy(llm.url, **sections(f"http://127.0.0.1:{closed_port}", two.url))
        answers = [await post(proxy) for _ in range(4 * FAILURES)]
        assert [fallback(answer) for answer in answers] == [None] * len(answers)
        assert {said(answer) for answer in answers} == {"two"}
        assert left_alone(proxy) == [True, False]
    attempts = proxy.records(4 * FAILURES)[0].attempts
    assert [(attempt.target, attempt.cause) for attempt in attempts] == [("gpu", "connect"), ("gpu", "")]


async def test_all_down_is_known_at_once_and_forgotten_when_one_is_back(
    start_proxy: StartProxy, llm: RunningServer, closed_port: int
) -> None:
    proxy = start_proxy(llm.url, **sections(f"http://127.0.0.1:{closed_port}"))
    await opens(proxy, b"connect")
    async with engine("back", port=closed_port):
        answer = await post(proxy)
        while fallback(answer) == b"breaker_open":
            answer = await post(proxy)
        assert (fallback(answer), said(answer)) == (None, "back")
        assert [server.breaker for server in proxy.worker.live.engines.status()] == ["closed"]


@pytest.mark.parametrize("status", [500, 503])
async def test_a_server_that_says_it_is_broken_is_left_alone(
    start_proxy: StartProxy, llm: RunningServer, status: int
) -> None:
    async def broken(peer: Peer) -> None:
        while True:
            await peer.answer(b"HTTP/1.1 %d No\r\ncontent-length: 2\r\n\r\n{}" % status)

    async with scripted(broken) as one:
        proxy = start_proxy(llm.url, **sections(one.url))
        await opens(proxy, b"status")


async def test_a_missing_model_says_nothing_against_the_server(
    start_proxy: StartProxy, llm: RunningServer
) -> None:
    async def missing(peer: Peer) -> None:
        while True:
            await peer.answer(b"HTTP/1.1 404 No\r\ncontent-length: 2\r\n\r\n{}")

    async with scripted(missing) as one:
        proxy = start_proxy(llm.url, **sections(one.url))
        causes = {fallback(await post(proxy)) for _ in range(2 * FAILURES)}
        assert [server.breaker for server in proxy.worker.live.engines.status()] == ["closed"]
    assert causes == {b"model_missing"}


async def test_an_agent_that_leaves_decides_nothing(start_proxy: StartProxy, llm: RunningServer) -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.closed()

    async with scripted(silent) as one:
        proxy = start_proxy(llm.url, **sections(one.url))
        for number in range(1, FAILURES + 2):
            async with connected(proxy.port) as client:
                await client.send(
                    request("POST", "/v1/chat/completions", CHAT, "content-type: application/json")
                )
                await until(lambda: len(one.requests) == number, "it has arrived")  # noqa: B023
            await one.until_finished(number, "the engine's connection was given up")
        (server,) = proxy.worker.live.engines.status()
        assert (server.breaker, server.in_flight) == ("closed", 0)


async def test_a_change_of_the_file_keeps_what_is_known_of_servers(
    start_proxy: StartProxy, llm: RunningServer, closed_port: int
) -> None:
    async with engine("two") as two:
        proxy = start_proxy(llm.url, **sections(f"http://127.0.0.1:{closed_port}", two.url))
        for _ in range(2 * FAILURES):
            await post(proxy)
        path = proxy.configuration.path
        assert path is not None
        path.write_text(path.read_text().replace("all of it", "all of it still"))
        wait_for(lambda: proxy.worker.watcher.current is not proxy.configuration, "the file is in force")
        assert left_alone(proxy) == [True, False]
        path.write_text(path.read_text().replace(f"- http://127.0.0.1:{closed_port}/v1", ""))
        wait_for(lambda: len(proxy.worker.live.engines.status()) == 1, "the first server is forgotten")
