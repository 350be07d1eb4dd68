"""Errors: the upstream's arrive verbatim, ours have the shape that the client of the endpoint understands."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from openai import APIStatusError, AsyncOpenAI, BadRequestError, RateLimitError

from proxy.errors import cause_of, refusal_for
from proxy.transport import base
from simulator.server import RunningServer
from tests.proxy.conftest import StartProxy
from tests.proxy.raw import Answer, connected, request
from tests.proxy.transport.peer import Peer, scripted

JSON = "content-type: application/json"
CHAT = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}'
ROUTABLE = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"]


async def post(port: int, path: str, body: bytes = CHAT, *lines: str) -> Answer:
    async with connected(port) as client:
        await client.send(request("POST", path, body, JSON, *lines))
        return await client.answer()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429, 451, 500, 529, 299, 202])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
async def test_status_body_and_headers_are_the_upstreams(
    start_proxy: StartProxy, status: int, path: str
) -> None:
    body = b'{"error": {"message": "no \xc3\xa9", "odd": [1]}} '
    lines = (
        b"content-type: application/json; charset=utf-8\r\nx-request-id: req_1\r\nretry-after: 7\r\n"
        b"retry-after-ms: 7000\r\nx-should-retry: true\r\nx-ratelimit-remaining-requests: 9\r\n"
        b"x-ratelimit-reset-tokens: 6ms\r\nopenai-processing-ms: 5\r\nwww-authenticate: Bearer\r\n"
    )

    async def script(peer: Peer) -> None:
        while True:
            head = b"HTTP/1.1 %d Odd\r\n" % status + lines + b"content-length: %d\r\n\r\n" % len(body)
            await peer.answer(head + body)

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        answer = await post(proxy.port, path)
        assert (answer.status, answer.body) == (status, body)
        passed = [line for line in answer.headers if not line[0].startswith(b"x-understudy-")]
        sent = [tuple(line.split(b": ", 1)) for line in lines.split(b"\r\n")[:-1]]
        assert passed == [*sent, (b"content-length", b"%d" % len(body))]
        assert len(upstream.requests) == 1
        record = proxy.record()
        assert (record.status, record.upstream_request_id, record.response) == (status, "req_1", body)


async def test_the_sdk_sees_the_upstreams_errors(start_proxy: StartProxy, llm: RunningServer) -> None:
    proxy = start_proxy(llm.url)
    async with AsyncOpenAI(base_url=proxy.base_url, api_key="k", max_retries=0) as sdk:
        with pytest.raises(RateLimitError) as limited:
            await sdk.chat.completions.create(
                model="gpt-4o",
                messages=[],
                extra_headers={"x-simulate": "status=429;retry-after=3;message=Slow"},
            )
        assert limited.value.response.headers["retry-after"] == "3"
        assert limited.value.code == "rate_limit_exceeded"
        with pytest.raises(BadRequestError) as bad:
            await sdk.chat.completions.create(model="gpt-4o", messages=[], n="x")  # type: ignore[call-overload]
        assert bad.value.request_id is not None


def closed_port() -> int:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port: int = reserved.getsockname()[1]
        return port


@pytest.mark.parametrize("path", [*ROUTABLE, "/v1/embeddings", "/v1/files/x"])
async def test_an_upstream_that_cannot_be_reached(start_proxy: StartProxy, path: str) -> None:
    proxy = start_proxy({"base_url": f"http://127.0.0.1:{closed_port()}", "retries": {"attempts": 0}})
    answer = await post(proxy.port, path)
    assert answer.status == 502
    assert answer.header("content-type") == b"application/json"
    assert answer.header("x-understudy-call-id")
    error = json.loads(answer.body)
    if path == "/v1/messages":
        assert error["type"] == "error"
        assert set(error["error"]) == {"type", "message"}
    else:
        assert set(error["error"]) == {"message", "type", "param", "code"}
        assert (error["error"]["type"], error["error"]["code"]) == ("upstream_error", "upstream_connect")
    record = proxy.record()
    assert (record.status, record.response) == (502, answer.body)
    assert [(attempt.status, attempt.cause) for attempt in record.attempts] == [(0, "connect")]


async def close(peer: Peer) -> None:
    await peer.request()


async def no_http(peer: Peer) -> None:
    await peer.answer(b"\x16\x03\x01 no HTTP\r\n\r\n")


async def silence(peer: Peer) -> None:
    await peer.request()
    await peer.closed()


@pytest.mark.parametrize(
    ("script", "options", "status", "code"),
    [
        (close, {}, 502, "upstream_reset"),
        (no_http, {}, 502, "upstream_protocol"),
        (silence, {"timeouts": {"first_byte": "200ms"}}, 504, "upstream_timeout"),
        (silence, {"timeouts": {"total": "200ms"}}, 504, "upstream_total_timeout"),
    ],
)
async def test_an_upstream_that_does_not_answer(
    start_proxy: StartProxy, script: Any, options: dict[str, Any], status: int, code: str
) -> None:
    async with scripted(script) as upstream:
        proxy = start_proxy({"base_url": upstream.url, "retries": {"attempts": 0}} | options)
        answer = await post(proxy.port, "/v1/chat/completions")
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (status, code)
        record = proxy.record()
        assert record.attempts[-1].cause == code.removeprefix("upstream_")


async def test_the_sdk_understands_our_own_errors(start_proxy: StartProxy) -> None:
    proxy = start_proxy({"base_url": f"http://127.0.0.1:{closed_port()}", "retries": {"attempts": 0}})
    async with AsyncOpenAI(base_url=proxy.base_url, api_key="k", max_retries=0) as sdk:
        with pytest.raises(APIStatusError) as failure:
            await sdk.chat.completions.create(model="gpt-4o", messages=[])
    assert (failure.value.status_code, failure.value.code) == (502, "upstream_connect")


def test_every_transport_error_has_an_answer() -> None:
    def tree(kind: type[base.TransportError]) -> list[type[base.TransportError]]:
        return [kind, *(below for each in kind.__subclasses__() for below in tree(each))]

    for kind in tree(base.TransportError):
        refusal = refusal_for(kind("host:1: why"), "llm")
        assert refusal.status in (502, 504)
        assert refusal.code == f"upstream_{cause_of(kind())}"
        assert "host:1: why" in refusal.message
