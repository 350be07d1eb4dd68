"""What passes through untouched: methods, paths, queries, headers, bodies."""

from __future__ import annotations

import gzip
import hashlib
import itertools

import pytest

from tests.proxy.conftest import StartProxy
from tests.proxy.raw import chunked, connected, request
from tests.proxy.transport.peer import Peer, scripted, until

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
CHAT = b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "vendor_field": {"x": 1e2}}'
JSON = "content-type: application/json"


async def answer_ok(peer: Peer) -> None:
    while True:
        await peer.answer(OK)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "SEARCH"])
async def test_any_method(start_proxy: StartProxy, method: str) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(OK.removesuffix(b"{}") if method == "HEAD" else OK)

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request(method, "/v1/things/7"))
            answer = await client.answer(method)
        assert (answer.status, answer.header("content-length")) == (200, b"2")
        assert upstream.requests[0].lines[0] == f"{method} /v1/things/7 HTTP/1.1".encode()
        assert proxy.record().method == method


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models",
        "/v1/",
        "/v1/unknown/endpoint?limit=20&after=a%20b&flag&x=1&x=2",
        "/v1/files/file-1/content?name=%2Ffolder%2f%C3%A9",
        "/v1/files?folder=/a/../b",
        "/v1/a//b/;p=1?q=[]{}|",
        "/v1/chat/completions/chatcmpl-1/messages",
        "/v1/chat/completions?api-version=2024-06-01",
    ],
)
async def test_paths_and_queries_pass_as_they_are(start_proxy: StartProxy, path: str) -> None:
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy({"base_url": f"{upstream.url}/some/base"})
        async with connected(proxy.port) as client:
            await client.send(request("POST", path, CHAT, JSON))
            assert (await client.answer()).status == 200
        expected = f"POST /some/base{path.removeprefix('/v1')} HTTP/1.1"
        assert upstream.requests[0].lines[0] == expected.encode("latin-1")
        assert upstream.requests[0].body == CHAT
        assert proxy.record().path == path


@pytest.mark.parametrize(
    "path",
    ["/v1/..", "/v1/../admin", "/v1/a/../../x", "/v1/./a", "/v1/%2e%2e/x", "/v1/%2E./x", "/v1/x/.%2e?q"],
)
async def test_no_path_leaves_the_base_url(start_proxy: StartProxy, path: str) -> None:
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("GET", path))
            answer = await client.answer()
        assert answer.status == 404
        assert b'"code":"invalid_path"' in answer.body
        assert upstream.requests == []
        assert proxy.record().status == 404


BINARY = bytes(range(256)) * 300
MULTIPART = (
    b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n' + BINARY + b"\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    "path", ["/v1/files", "/v1/audio/transcriptions", "/v1/chat/completions", "/v1/messages"]
)
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=b", MULTIPART),
        ("application/octet-stream", BINARY),
        ("application/json", b"\xff\xfe not json"),
        ("application/json", b' {"model" : "m",\n "x":"\xc3\xa9"} '),
    ],
    ids=["multipart", "binary", "no-json", "odd-json"],
)
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_bodies_pass_byte_for_byte(
    start_proxy: StartProxy, path: str, kind: str, body: bytes, framing: str
) -> None:
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            if framing == "length":
                await client.send(request("POST", path, body, f"content-type: {kind}"))
            else:
                head = request("POST", path, None, f"content-type: {kind}", "transfer-encoding: chunked")
                await client.send(head, chunked(body[:100], body[100:] or b"x"))
                body = body if body[100:] else body + b"x"
            assert (await client.answer()).status == 200
        sent = upstream.requests[0]
        assert sent.body == body
        assert b"content-type: " + kind.encode() in sent.lines
        assert proxy.record().request_size == len(body)


async def test_downloads_pass_byte_for_byte_in_any_framing(start_proxy: StartProxy) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\n"
    framings = [
        head + b"content-length: %d\r\n\r\n" % len(BINARY) + BINARY,
        head + b"transfer-encoding: chunked\r\n\r\n" + chunked(BINARY[:7], BINARY[7:]),
        head + b"connection: close\r\n\r\n" + BINARY,
    ]
    answers = iter(framings)

    async def script(peer: Peer) -> None:
        await peer.request()
        answer = next(answers)
        await peer.send(answer[:50], answer[50:60], answer[60:])

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        for _ in framings:
            async with connected(proxy.port) as client:
                await client.send(request("GET", "/v1/files/f/content"))
                answer = await client.answer()
                assert answer.complete
                assert answer.body == BINARY
        assert {record.response_size for record in proxy.records(3)} == {len(BINARY)}


async def test_hop_by_hop_headers_stay_and_unknown_ones_pass_on(start_proxy: StartProxy) -> None:
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            lines = [
                "connection: keep-alive, x-hop",
                "x-hop: 1",
                "keep-alive: timeout=5",
                "te: trailers",
                "proxy-authorization: Basic x",
                "x-understudy-session: s1",
                "x-understudy-route: upstream",
                "X-Understudy-Anything: 1",
                "x-custom: a",
                "x-custom: b",
                "openai-beta: assistants=v2",
                "authorization: Bearer sk-agent",
                JSON,
            ]
            await client.send(request("POST", "/v1/chat/completions", CHAT, *lines))
            assert (await client.answer()).status == 200
        sent = upstream.requests[0].lines[1:]
        names = [line.partition(b":")[0] for line in sent]
        assert not {b"x-hop", b"keep-alive", b"te", b"proxy-authorization"} & set(names)
        assert not any(name.startswith(b"x-understudy-") for name in names)
        assert [line for line in sent if line.startswith(b"x-custom")] == [b"x-custom: a", b"x-custom: b"]
        assert {b"openai-beta: assistants=v2", b"authorization: Bearer sk-agent"} <= set(sent)
        assert b"host: " + upstream.url.removeprefix("http://").encode() in sent
        assert names.count(b"content-length") == names.count(b"host") == 1
        assert proxy.record().session == "s1"


async def test_response_headers_come_back_without_what_belongs_to_the_other_connection(
    start_proxy: StartProxy,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(
            b"HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\n"
            b"set-cookie: a=1\r\nset-cookie: b=2\r\nx-vendor: \xe9\r\nserver: them\r\n"
            b"x-understudy-route: slm\r\nx-understudy-call-id: theirs\r\n"
            b"content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        )

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", "/v1/chat/completions", CHAT, JSON))
            answer = await client.answer()
        names = {name for name, _ in answer.headers}
        assert not {b"x-hop", b"keep-alive", b"connection", b"transfer-encoding"} & names
        assert [value for name, value in answer.headers if name == b"set-cookie"] == [b"a=1", b"b=2"]
        assert (answer.header("x-vendor"), answer.header("server")) == (b"\xe9", b"them")
        assert answer.header("x-understudy-route") == b"upstream"
        assert answer.header("x-understudy-call-id") != b"theirs"


async def test_a_compressed_answer_stays_compressed_and_is_readable_in_the_log(
    start_proxy: StartProxy,
) -> None:
    packed = gzip.compress(b'{"choices": [], "model": "gpt-4o"}')

    async def script(peer: Peer) -> None:
        await peer.answer(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n"
            b"content-length: %d\r\n\r\n" % len(packed) + packed
        )

    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(
                request("POST", "/v1/chat/completions", CHAT, JSON, "accept-encoding: gzip, br")
            )
            answer = await client.answer()
        assert (answer.header("content-encoding"), answer.body) == (b"gzip", packed)
        (call,) = proxy.shipped()
        assert call.response.data == b'{"choices":[],"model":"gpt-4o"}'


STREAM = CHAT.replace(b'"model"', b'"stream": true, "model"')


@pytest.mark.parametrize(
    ("path", "body", "offered", "sent"),
    [
        ("/v1/chat/completions", CHAT, "gzip, br;q=1.0, zstd", b"gzip, zstd"),
        ("/v1/chat/completions", CHAT, "br", b"identity"),
        ("/v1/chat/completions", STREAM, "gzip, br", b"identity"),
        ("/v1/messages", STREAM, "gzip, br", b"gzip"),
        ("/v1/embeddings", CHAT, "gzip, br", b"gzip"),
    ],
)
async def test_codings_that_the_log_cannot_read_are_not_offered(
    start_proxy: StartProxy, path: str, body: bytes, offered: str, sent: bytes
) -> None:
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", path, body, JSON, f"accept-encoding: {offered}"))
            await client.answer()
        lines = [line for line in upstream.requests[0].lines if line.startswith(b"accept-encoding:")]
        assert [line.partition(b":")[2].strip().replace(b" ", b"") for line in lines] == [
            sent.replace(b" ", b"")
        ]


async def test_codings_of_downloads_are_the_agents_business(start_proxy: StartProxy) -> None:
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("GET", "/v1/files/f/content", None, "accept-encoding: br"))
            await client.answer()
        assert b"accept-encoding: br" in upstream.requests[0].lines


@pytest.mark.parametrize(
    "body", [CHAT.replace(b"gpt-4o", b"no-such-model-\xc3\xa9"), b"[]", b"null", b'"x"', b"{}"]
)
async def test_what_is_wrong_with_a_body_is_the_upstreams_to_say(
    start_proxy: StartProxy, body: bytes
) -> None:
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", "/v1/chat/completions", body, JSON))
            assert (await client.answer()).status == 200
        assert upstream.requests[0].body == body


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/v1/files"])
@pytest.mark.parametrize("size", [200_000, 300_000, 3_000_000])
async def test_bodies_of_any_size_pass(start_proxy: StartProxy, path: str, size: int) -> None:
    body = b'{"model": "m", "input": "' + b"x" * size + b'"}'
    async with scripted(answer_ok) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(request("POST", path, body, JSON))
            assert (await client.answer()).status == 200
        assert hashlib.sha256(upstream.requests[0].body).digest() == hashlib.sha256(body).digest()
        assert proxy.record().request_size == len(body)


async def test_an_upload_streams_and_a_download_too(start_proxy: StartProxy) -> None:
    """Each side sees a piece before the next one is sent."""
    pieces = [b"first", b"second", b"third"]
    arrived: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        for _ in pieces:
            size = int(await peer.reader.readuntil(b"\r\n"), 16)
            arrived.append((await peer.reader.readexactly(size + 2))[:-2])
        await peer.reader.readuntil(b"0\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\ntransfer-encoding: chunked\r\n\r\n")
        for count in itertools.count(1):
            await until(lambda count=count: len(received) >= count - 1, "the agent has the piece")  # type: ignore[misc]
            if count > len(pieces):
                break
            await peer.send(b"%x\r\n%b\r\n" % (len(pieces[count - 1]), pieces[count - 1]))
        await peer.send(b"0\r\n\r\n")

    received: list[bytes] = []
    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            await client.send(
                request("POST", "/v1/files", None, "content-type: audio/wav", "transfer-encoding: chunked")
            )
            for count, piece in enumerate(pieces, 1):
                await client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
                await until(lambda count=count: len(arrived) == count, "the upstream has the piece")  # type: ignore[misc]
            await client.send(b"0\r\n\r\n")
            assert (await client.head()).status == 200
            while piece := await client.chunk():
                received.append(piece)
        assert arrived == received == pieces
