"""A head that came before: it fits only what the parser would read the same."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.agent_headers import AgentHeaders
from proxy.familiar_head import FamiliarHead, familiar_head
from tests.proxy.conftest import StartProxy
from tests.proxy.raw import connected, request
from tests.proxy.transport.peer import Peer, scripted

JSON = "content-type: application/json"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b"


class Parsed:
    """What the parser makes of bytes."""

    def __init__(self, data: bytes) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.messages = 0
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.messages += 1

    @property
    def lines(self) -> list[tuple[bytes, bytes]]:
        return [line for line in self.headers if line[0] != b"content-length"]


def learned(data: bytes) -> FamiliarHead | None:
    parsed = Parsed(data)
    assert parsed.messages == 1
    return familiar_head(data, "POST", parsed.url, AgentHeaders(parsed.lines), len(parsed.body))


def post(body: bytes, *lines: str, length: str | None = None, name: str = "Content-Length") -> bytes:
    size = str(len(body)) if length is None else length
    head = "\r\n".join(["POST /v1/chat/completions HTTP/1.1", "Host: a", f"{name}: {size}", *lines])
    return head.encode() + b"\r\n\r\n" + body


FIRST = post(b'{"n": 1}', "X-A: b")

names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True).filter(
    lambda name: name.lower() not in ("content-length", "transfer-encoding", "connection", "upgrade")
)
values = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)


@given(lines=st.lists(st.tuples(names, values), max_size=8), first=st.binary(), second=st.binary())
def test_what_fits_reads_as_the_parser_reads_it(
    lines: list[tuple[str, str]], first: bytes, second: bytes
) -> None:
    written = [f"{name}: {value}" for name, value in lines]
    head = learned(post(first, *written))
    data = post(second, *written)
    assert head is not None
    assert head.body_of(data) == second
    parsed = Parsed(data)
    assert (head.path, head.headers.lines, parsed.body) == (parsed.url, parsed.lines, second)


@given(
    data=st.binary()
    | st.builds(lambda at, byte: FIRST[:at] + byte + FIRST[at + 1 :], st.integers(0, 90), st.binary())
)
def test_nothing_else_fits(data: bytes) -> None:
    head = learned(FIRST)
    assert head is not None
    body = head.body_of(data)
    if body is not None:
        parsed = Parsed(data)
        assert (parsed.messages, parsed.url, parsed.lines, parsed.body) == (
            1,
            head.path,
            head.headers.lines,
            body,
        )


@pytest.mark.parametrize(
    "data",
    [
        FIRST[:-1],
        FIRST + b"G",
        FIRST + FIRST,
        post(b'{"n": 1}', "X-A: c"),
        post(b'{"n": 1}', "X-A: b", length=""),
        post(b'{"n": 1}', "X-A: b", length="+8"),
        post(b'{"n": 1}', "X-A: b", length="8 "),
        post(b'{"n": 1}', "X-A: b", length="1" * 40),
        b"\r\n" + FIRST,
    ],
)
def test_other_lengths_and_neighbours_are_the_parsers_business(data: bytes) -> None:
    head = learned(FIRST)
    assert head is not None
    assert head.body_of(data) is None


def test_a_head_with_more_lines_than_the_parser_saw_is_not_learned() -> None:
    assert familiar_head(FIRST, "POST", b"/", AgentHeaders([]), 8) is None
    assert familiar_head(FIRST[:-1], "POST", b"/", AgentHeaders([(b"a", b"b")] * 2), 8) is None
    assert learned(post(b"", "Content-Length2: 0", name="content-length")) is not None


async def test_requests_with_familiar_and_strange_heads_take_turns(start_proxy: StartProxy) -> None:
    async def script(peer: Peer) -> None:
        while True:
            received = await peer.request()
            said = b"%b|%b" % (received.body, b" ".join(line for line in received.lines if line[:2] == b"x-"))
            await peer.send(OK % (len(said), said))

    def call(body: bytes, *lines: str) -> bytes:
        return request("POST", "/v1/chat/completions", body, JSON, *lines)

    chunked = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[3]\r\n0\r\n\r\n"
    sent = [
        (call(b"[1]", "x-a: 1"), b"[1]|x-a: 1"),
        (call(b"[1, 2, 3, 4]", "x-a: 1"), b"[1, 2, 3, 4]|x-a: 1"),
        (call(b"[1]", "x-a: 2"), b"[1]|x-a: 2"),
        (chunked, b"[3]|"),
        (call(b"[]", "x-a: 2"), b"[]|x-a: 2"),
        (request("GET", "/healthz"), b'{"status":"ok"}'),
        (call(b"[4]", "x-a: 2"), b"[4]|x-a: 2"),
        (call(b"[5, 5]", "x-a: 2") * 2, b"[5, 5]|x-a: 2"),
    ]
    async with scripted(script) as upstream:
        proxy = start_proxy(upstream.url)
        async with connected(proxy.port) as client:
            for data, said in sent:
                await client.send(data)
                assert (await client.answer()).body == said
            assert (await client.answer()).body == sent[-1][1]
            await client.send(call(b"[6]", "x-a: 2", "connection: close"))
            assert (await client.answer()).body == b"[6]|x-a: 2"
            await client.send(call(b"[7]", "x-a: 2"))
            assert await client.rest() == b""
        recorded = sorted(record.request or b"" for record in proxy.records(9))
        assert recorded == sorted(
            [b"[1]", b"[1, 2, 3, 4]", b"[1]", b"[3]", b"[]", b"[4]", b"[5, 5]", b"[5, 5]", b"[6]"]
        )
