"""Whatever arrives is answered or closed; nothing hangs, and what had a whole head has a record."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.limits import Limits
from tests.proxy.conftest import StartProxy
from tests.proxy.raw import RawClient, chunked, connected, request
from tests.proxy.transport.peer import Peer, scripted, until

JSON = "content-type: application/json"
CHAT = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}'
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


async def answer_ok(peer: Peer) -> None:
    while True:
        await peer.answer(OK)


BODIES = {
    "empty": b"",
    "no-json": b"hello",
    "no-utf8": b'{"model": "\xff\xfe"}',
    "cut": CHAT[:-3],
    "deep-list": b'{"messages": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep-object": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "messages-number": b'{"model": "m", "messages": 3}',
    "messages-mixed": b'{"model": "m", "messages": [1, null, [], {"role": 5, "content": {"a": [1]}}]}',
    "messages-null": b'{"model": null, "messages": null, "tools": "x", "stream": "yes"}',
    "tools-odd": b'{"model": "m", "tools": [1, {"function": 2}], "response_format": [], "n": "x"}',
    "surrogate": b'{"model": "\\ud800", "messages": []}',
    "repeated": b'{"model": "a", "model": "b", "messages": [], "messages": 1}',
    "huge-number": b'{"model": "m", "n": ' + b"9" * 5000 + b"}",
    "long-model": b'{"model": "' + b"m" * 100_000 + b'"}',
    "nul": b'{"model": "a\\u0000b\\r\\nx: y", "user": "\\u0000"}',
}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/completions"])
async def test_odd_bodies_go_upstream_as_they_are(start_proxy: StartProxy, path: str) -> None:
    """With a rule that would send everything to a small model, to have every reader read them."""
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(
            upstream.url,
            rules=[
                {"name": "r", "when": {"system": "*x*", "user": "/y/", "tokens": "> 5"}, "route": "upstream"}
            ],
        )
        for name, body in BODIES.items():
            async with connected(proxy.port) as client:
                await client.send(request("POST", path, body, JSON))
                answer = await client.answer()
            assert (answer.status, answer.body) == (200, b"{}"), name
            assert upstream.requests[-1].body == body, name
        assert max(len(record.requested_model) for record in proxy.records(len(BODIES))) == 500
        assert len(proxy.shipped()) == len(BODIES)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "model",
    "messages",
    "input",
    "prompt",
    "tools",
    "stream",
    "stream_options",
    "response_format",
    "text",
    "n",
]


async def test_any_json_goes_upstream_as_it_is(start_proxy: StartProxy) -> None:
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy({"base_url": f"{upstream.url}/v1", "stream_usage": "off"})
        loop = asyncio.get_running_loop()

        async def ask(path: str, body: bytes) -> None:
            async with connected(proxy.port) as client:
                await client.send(request("POST", path, body, JSON))
                answer = await client.answer()
            assert (answer.status, upstream.requests[-1].body) == (200, body)

        @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(
            path=st.sampled_from(
                ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/completions"]
            ),
            body=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6),
        )
        def check(path: str, body: dict[str, object]) -> None:
            text = json.dumps(body).encode()
            asyncio.run_coroutine_threadsafe(ask(path, text), loop).result(20)

        await loop.run_in_executor(None, check)


async def test_a_body_of_100_mb_streams_through_in_bounded_memory(start_proxy: StartProxy) -> None:
    """While the upstream does not read, the agent cannot send more than buffers hold."""
    piece, count = os.urandom(1 << 20), 100
    digest = hashlib.sha256()
    reading, sent = asyncio.Event(), [0]

    async def script(peer: Peer) -> None:
        head = await peer.reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 104857600" in head
        await reading.wait()
        for _ in range(count * 16):
            digest.update(await peer.reader.readexactly(1 << 16))
        await peer.send(OK)

    async def send(client: RawClient) -> None:
        for _ in range(count):
            await client.send(piece)
            sent[0] += 1

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url, server={"buffer_limit": "1MB", "capture_limit": "1MB"})
        async with connected(proxy.port) as client:
            await client.send(
                request("POST", "/v1/chat/completions", None, JSON, "content-length: 104857600")
            )
            sending = asyncio.create_task(send(client))
            before = -1
            while sent[0] != before:
                before = sent[0]
                await asyncio.sleep(0.3)
            assert sent[0] < 40
            reading.set()
            await sending
            assert (await client.answer()).body == b"{}"
        assert digest.digest() == hashlib.sha256(piece * count).digest()
        record = proxy.record()
        assert record.request_size == 104857600
        assert record.reason == "the body is larger than server.buffer_limit"
        assert record.request is not None
        assert len(record.request) <= 1 << 20


async def test_a_header_bomb_in_one_piece(start_proxy: StartProxy) -> None:
    proxy = start_proxy("http://127.0.0.1:9")
    async with connected(proxy.port) as client:
        await client.send(request("GET", "/v1/models", None, "x-bomb: " + "a" * 70_000))
        answer = await client.answer()
        assert answer.status == 431
        assert json.loads(answer.body)["error"]["code"] == "http_431"
        assert await client.rest() == b""


@pytest.mark.parametrize("line", ["x-{}: " + "a" * 900, "a" * 1000], ids=["many-headers", "one-header"])
async def test_a_header_bomb_that_never_ends(start_proxy: StartProxy, line: str) -> None:
    """In small pieces; the bound holds before a megabyte has come."""
    proxy = start_proxy("http://127.0.0.1:9")
    async with connected(proxy.port) as client:
        await client.send(b"GET /v1/models HTTP/1.1\r\nx: ")
        sent = 0
        while not client.reader._buffer and sent < 1 << 20:  # type: ignore[attr-defined]
            piece = line.format(sent).encode() + (b"\r\n" if "{" in line else b"")
            await client.send(piece)
            sent += len(piece)
            await asyncio.sleep(0)
        assert (await client.answer()).status == 431
        assert sent < 1 << 20


async def test_slow_headers(start_proxy: StartProxy) -> None:
    proxy = start_proxy("http://127.0.0.1:9", limits=Limits(header_seconds=0.1))
    async with connected(proxy.port) as client:
        await client.send(b"GET /v1/models HT")
        answer = await client.answer()
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (408, "http_408")
        assert await client.rest() == b""


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/v1/files"])
@pytest.mark.parametrize("framing", ["content-length: 1000", "transfer-encoding: chunked"])
async def test_a_slow_body(start_proxy: StartProxy, path: str, framing: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url, limits=Limits(body_seconds=0.1))
        kind = "content-type: audio/wav" if path == "/v1/files" else JSON
        async with connected(proxy.port) as client:
            await client.send(request("POST", path, None, kind, framing))
            answer = await client.answer()
            assert answer.status == 408
            assert answer.header("connection") == b"close"
            assert await client.rest() == b""
        assert proxy.record().status == 408


async def test_an_idle_connection_is_closed(start_proxy: StartProxy) -> None:
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url, limits=Limits(idle_seconds=0.1))
        async with connected(proxy.port) as fresh, connected(proxy.port) as used:
            await used.send(request("POST", "/v1/chat/completions", CHAT, JSON))
            assert (await used.answer()).status == 200
            assert await fresh.rest() == await used.rest() == b""


@pytest.mark.parametrize(
    "text",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"nonsense\r\n\r\n",
        b"GET /v1/models HTTP/9.9\r\n\r\n",
        b"GET /v1/f\xc3\xa9 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/a b HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nbad header: x\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nx: a\x00b\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_400(start_proxy: StartProxy, text: bytes) -> None:
    proxy = start_proxy("http://127.0.0.1:9")
    async with connected(proxy.port) as client:
        await client.send(text)
        assert (await client.answer()).status == 400
        assert await client.rest() == b""
    assert proxy.journaled() == []


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/v1/files"])
@pytest.mark.parametrize("split", [False, True])
async def test_a_broken_chunk_is_answered_and_recorded(
    start_proxy: StartProxy, path: str, split: bool
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        kind = "content-type: audio/wav" if path == "/v1/files" else JSON
        head = request("POST", path, None, kind, "transfer-encoding: chunked") + b"2\r\n{}\r\n"
        async with connected(proxy.port) as client:
            if split:
                await client.send(head)
                await asyncio.sleep(0)
                await client.send(b"zz\r\n")
            else:
                await client.send(head + b"zz\r\n")
            answer = await client.answer()
            assert answer.status == 400
            assert await client.rest() == b""
        assert proxy.record().status == 400


async def test_a_good_request_before_garbage_is_served(start_proxy: StartProxy) -> None:
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", "/v1/chat/completions", CHAT, JSON) + b"\x00garbage\r\n\r\n")
            answer = await client.answer()
            assert (answer.status, answer.header("connection")) == (200, b"close")
            assert await client.rest() == b""
        assert proxy.record().status == 200


async def test_pipelined_requests_are_answered_in_order(start_proxy: StartProxy) -> None:
    async def script(peer: Peer) -> None:
        while True:
            received = await peer.request()
            await peer.send(OK.replace(b": 2", b": %d" % len(received.body)).replace(b"{}", received.body))

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        bodies = [b'{"n": %d}' % number for number in range(40)]
        async with connected(proxy.port) as client:
            await client.send(
                b"".join(request("POST", "/v1/chat/completions", body, JSON) for body in bodies)
            )
            for body in bodies:
                assert (await client.answer()).body == body
        proxy.records(len(bodies))


async def test_pipelined_requests_across_the_control_pages(start_proxy: StartProxy) -> None:
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            models, health = request("GET", "/v1/models"), request("GET", "/healthz")
            await client.send(models + health + models + health)
            bodies = [(await client.answer()).body for _ in range(4)]
        assert bodies == [b"{}", b'{"status":"ok"}'] * 2


@pytest.mark.parametrize("streamed", [False, True])
async def test_http_1_0(start_proxy: StartProxy, streamed: bool) -> None:
    async def script(peer: Peer) -> None:
        while True:
            framing = b"transfer-encoding: chunked\r\n\r\n" + chunked(b"{}") if streamed else OK[-23:]
            await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + framing)

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", "/v1/files", CHAT, JSON, version="1.0"))
            answer = await client.answer()
            assert (answer.status, answer.body, answer.header("transfer-encoding")) == (200, b"{}", None)
            assert await client.rest() == b""
        async with connected(proxy.port) as client:
            again = request(
                "POST", "/v1/chat/completions", CHAT, JSON, "connection: keep-alive", version="1.0"
            )
            for _ in range(2 if not streamed else 1):
                await client.send(again)
                answer = await client.answer()
                assert answer.body == b"{}"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/files"])
async def test_expect_100_continue(start_proxy: StartProxy, path: str) -> None:
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            kind = "content-type: audio/wav" if path == "/v1/files" else JSON
            lines = (kind, f"content-length: {len(CHAT)}", "expect: 100-continue")
            await client.send(request("POST", path, None, *lines))
            assert (await client.head()).status == 100
            await client.send(CHAT)
            assert (await client.answer()).status == 200
        assert upstream.requests[0].body == CHAT
        assert not any(line.startswith(b"expect") for line in upstream.requests[0].lines)


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body(start_proxy: StartProxy, status: int) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(b"HTTP/1.1 %d None\r\netag: x\r\n\r\n" % status)

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            for method in ("GET", "DELETE", "HEAD"):
                await client.send(request(method, "/v1/files/x"))
                answer = await client.answer(method)
                assert (answer.status, answer.body, answer.header("etag")) == (status, b"", b"x")
                assert answer.header("transfer-encoding") is None


async def test_an_early_answer_reaches_an_agent_that_still_sends(start_proxy: StartProxy) -> None:
    """The upstream refuses an upload by its head alone."""
    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig"

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(refusal)
        await peer.closed()

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            lines = ("content-type: audio/wav", "content-length: 50000000")
            await client.send(request("POST", "/v1/files", None, *lines))
            sent = 0
            while not client.reader._buffer and sent < 50:  # type: ignore[attr-defined]
                client.writer.write(b"x" * 100_000)
                sent += 1
                await asyncio.sleep(0)
            answer = await client.answer()
            assert (answer.status, answer.body) == (413, b"big")
            assert await client.rest() == b""
        assert proxy.record().status == 413


async def test_an_upgrade_that_is_not_ours_is_declined_by_serving(start_proxy: StartProxy) -> None:
    """Java's client offers h2c with its first request."""
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            lines = (JSON, "connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAA")
            await client.send(request("POST", "/v1/chat/completions", CHAT, *lines))
            assert (await client.answer()).body == b"{}"
            await client.send(request("POST", "/v1/chat/completions", CHAT, JSON))
            assert (await client.answer()).body == b"{}"
        assert [received.body for received in upstream.requests] == [CHAT, CHAT]
        assert not any(line.startswith((b"upgrade", b"http2")) for line in upstream.requests[0].lines)


async def test_trailers_do_not_become_headers(start_proxy: StartProxy) -> None:
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            head = request("POST", "/v1/chat/completions", None, JSON, "transfer-encoding: chunked")
            body = chunked(CHAT).removesuffix(b"\r\n") + b"authorization: Bearer smuggled\r\n\r\n"
            await client.send(head + body)
            assert (await client.answer()).status == 200
        assert b"smuggled" not in upstream.requests[0].head


@pytest.mark.parametrize("cut", [1, 20, 40, 70, 100])
async def test_premature_close_anywhere(start_proxy: StartProxy, cut: int) -> None:
    whole = request("POST", "/v1/chat/completions", CHAT, JSON)
    head = whole.index(b"\r\n\r\n") + 4
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(whole[:cut])
        async with connected(proxy.port) as other:
            await other.send(whole)
            assert (await other.answer()).status == 200
        expected = 2 if cut >= head else 1
        await until(lambda: len(proxy.journaled()) == expected, "every whole head has a record")


async def test_connect_and_unknown_targets_are_answered(start_proxy: StartProxy) -> None:
    proxy = start_proxy("http://127.0.0.1:9")
    for text in (
        b"CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        request("OPTIONS", "*"),
        request("GET", "/v2"),
    ):
        async with connected(proxy.port) as client:
            await client.send(text)
            assert 400 <= (await client.answer()).status < 500
