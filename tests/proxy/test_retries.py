"""Retries: before the first byte, under one budget, and never of what must not be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.proxy.conftest import StartProxy
from tests.proxy.raw import Answer, connected, request
from tests.proxy.transport.peer import Peer, Script, scripted

JSON = "content-type: application/json"
CHAT = b'{"model":"gpt-4o","messages":[]}'
STREAM = b'{"model":"gpt-4o","messages":[],"stream":true}'
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy"
REFUSED = b"HTTP/1.1 400 Bad\r\ncontent-length: 3\r\n\r\nbad"
RESET = b""


def answering(*answers: bytes) -> Script:
    """The n-th request gets the n-th answer, whatever connection it comes on; an empty one resets."""
    left = list(answers)

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            answer = left.pop(0)
            if answer == RESET:
                peer.reset()
                return
            await peer.send(answer)

    return script


async def post(port: int, path: str = "/v1/chat/completions", body: bytes = CHAT, kind: str = JSON) -> Answer:
    async with connected(port) as client:
        await client.send(request("POST", path, body, kind))
        return await client.answer()


def section(url: str, attempts: int = 2, **options: Any) -> dict[str, Any]:
    return {"base_url": f"{url}/v1", "retries": {"attempts": attempts} | options}


@pytest.mark.parametrize(
    ("answers", "causes"),
    [
        ([BUSY, OK], ["status", ""]),
        ([RESET, OK], ["reset", ""]),
        ([RESET, BUSY, OK], ["reset", "status", ""]),
    ],
)
@pytest.mark.parametrize("body", [CHAT, STREAM])
async def test_a_routable_call_is_tried_again(
    start_proxy: StartProxy, answers: Sequence[bytes], causes: list[str], body: bytes
) -> None:
    async with scripted(answering(*answers)) as upstream:
        proxy = start_proxy(section(upstream.url))
        answer = await post(proxy.port, body=body)
        assert (answer.status, answer.body, answer.header("x-should-retry")) == (200, b"{}", None)
        assert len(upstream.requests) == len(answers)
        assert [attempt.cause for attempt in proxy.record().attempts] == causes


@pytest.mark.parametrize("claim", [b"", b"x-should-retry: true\r\n"])
async def test_a_spent_budget_tells_the_client_not_to_try_again(
    start_proxy: StartProxy, claim: bytes
) -> None:
    busy = BUSY.replace(b"content-length", claim + b"content-length")
    async with scripted(answering(*[busy] * 3)) as upstream:
        proxy = start_proxy(section(upstream.url))
        answer = await post(proxy.port)
        assert (answer.status, answer.body) == (503, b"busy")
        assert answer.header("x-should-retry") == b"false"
        assert len(upstream.requests) == 3


async def test_a_spent_budget_of_broken_connections(start_proxy: StartProxy) -> None:
    async with scripted(answering(*[RESET] * 3)) as upstream:
        proxy = start_proxy(section(upstream.url))
        answer = await post(proxy.port)
        assert (answer.status, answer.header("x-should-retry")) == (502, b"false")
        assert [attempt.cause for attempt in proxy.record().attempts] == ["reset"] * 3


async def test_without_retries_the_client_decides(start_proxy: StartProxy) -> None:
    async with scripted(answering(BUSY)) as upstream:
        proxy = start_proxy(section(upstream.url, attempts=0))
        answer = await post(proxy.port)
        assert (answer.status, answer.header("x-should-retry")) == (503, None)


async def test_the_upstream_asks_for_more_patience_than_the_budget_has(start_proxy: StartProxy) -> None:
    busy = BUSY.replace(b"content-length", b"retry-after: 60\r\ncontent-length")
    async with scripted(answering(busy)) as upstream:
        proxy = start_proxy(section(upstream.url))
        answer = await post(proxy.port)
        assert (answer.status, answer.header("retry-after")) == (503, b"60")
        assert answer.header("x-should-retry") is None


@pytest.mark.parametrize(
    "header", [b"retry-after-ms: 250", b"retry-after: 0.3", b"retry-after: soon", b"retry-after: 0"]
)
async def test_retry_after_is_read_in_every_spelling(start_proxy: StartProxy, header: bytes) -> None:
    busy = BUSY.replace(b"content-length", header + b"\r\ncontent-length")
    async with scripted(answering(busy, OK)) as upstream:
        proxy = start_proxy(section(upstream.url))
        assert (await post(proxy.port)).status == 200


async def test_one_budget_holds_for_the_question_of_usage_too(start_proxy: StartProxy) -> None:
    async with scripted(answering(BUSY, BUSY, REFUSED, BUSY)) as upstream:
        proxy = start_proxy(section(upstream.url))
        answer = await post(proxy.port, body=STREAM)
        assert (answer.status, answer.header("x-should-retry")) == (503, b"false")
        assert len(upstream.requests) == 4


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/v1/embeddings", JSON), ("/v1/files", "content-type: audio/wav"), ("/v1/fine_tuning/jobs", JSON)],
)
@pytest.mark.parametrize("answer", [BUSY, RESET])
async def test_what_may_have_an_effect_is_not_repeated(
    start_proxy: StartProxy, path: str, kind: str, answer: bytes
) -> None:
    async with scripted(answering(answer, OK)) as upstream:
        proxy = start_proxy(section(upstream.url))
        got = await post(proxy.port, path, kind=kind)
        assert got.status == (503 if answer else 502)
        assert got.header("x-should-retry") is None
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("kind", [b"application/json", b"text/event-stream"])
async def test_nothing_is_repeated_after_the_first_byte(start_proxy: StartProxy, kind: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(
            b"HTTP/1.1 200 OK\r\ncontent-type: " + kind + b"\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n"
        )
        peer.reset()

    async with scripted(script) as upstream:
        proxy = start_proxy(section(upstream.url))
        answer = await post(proxy.port)
        assert answer.body.startswith(b"{")
        assert len(upstream.requests) == 1


async def test_only_the_named_statuses_are_tried_again(start_proxy: StartProxy) -> None:
    limited = b"HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n"
    async with scripted(answering(limited, OK, limited)) as upstream:
        proxy = start_proxy(section(upstream.url, statuses=[429]))
        assert (await post(proxy.port)).status == 200
        async with connected(proxy.port) as client:
            await client.send(request("GET", "/v1/models"))
            assert (await client.answer()).status == 429
