"""WebSockets of the API: relayed message by message, refused handshakes relayed too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from simulator.server import RunningServer
from store.record import Record
from tests.proxy.conftest import StartProxy
from tests.proxy.running import RunningProxy

Handler = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def upstream(handler: Handler, **options: object) -> AsyncIterator[str]:
    """A WebSocket server; gives the http URL of its `/v1`."""
    async with serve(handler, "127.0.0.1", 0, max_size=None, **options) as server:  # type: ignore[arg-type]
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1"


def socket_url(proxy: RunningProxy, path: str) -> str:
    return f"ws://127.0.0.1:{proxy.port}{path}"


async def recorded(proxy: RunningProxy) -> Record:
    return await asyncio.to_thread(proxy.record)


async def echo(peer: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        async for message in peer:
            await peer.send(message)


@pytest.mark.parametrize("path", ["/v1/realtime?model=gpt-realtime", "/v1/responses"])
async def test_text_and_binary_both_ways(start_proxy: StartProxy, path: str) -> None:
    seen: list[Request] = []

    async def handler(peer: ServerConnection) -> None:
        assert peer.request is not None
        seen.append(peer.request)
        await echo(peer)

    messages: list[str | bytes] = ["héllo", b"\x00\xff" * 10, "", "x" * 2_000_000, b""]
    async with upstream(handler) as url:
        proxy = start_proxy({"base_url": url})
        headers = {
            "authorization": "Bearer sk-agent",
            "openai-beta": "realtime=v1",
            "x-understudy-session": "s",
        }
        async with connect(socket_url(proxy, path), additional_headers=headers, max_size=None) as client:
            for message in messages:
                await client.send(message)
                assert await client.recv() == message
        record = await recorded(proxy)
    assert seen[0].path == path
    assert (seen[0].headers["authorization"], seen[0].headers["openai-beta"]) == (
        "Bearer sk-agent",
        "realtime=v1",
    )
    assert "x-understudy-session" not in seen[0].headers
    size = sum(len(message) for message in messages)
    assert (record.method, record.path, record.status) == ("WEBSOCKET", path, 101)
    assert (record.request_size, record.response_size, record.session) == (size, size, "s")


async def test_the_simulators_realtime_session(start_proxy: StartProxy, llm: RunningServer) -> None:
    proxy = start_proxy(llm.url)
    async with connect(socket_url(proxy, "/v1/realtime?model=gpt-realtime")) as client:
        assert json.loads(await client.recv())["type"] == "session.created"
        await client.send('{"type": "response.create"}')
        assert json.loads(await client.recv())["type"] == "response.created"


async def test_subprotocols_are_negotiated_end_to_end(start_proxy: StartProxy) -> None:
    async with upstream(echo, subprotocols=[Subprotocol("realtime")]) as url:
        proxy = start_proxy({"base_url": url})
        offered = [Subprotocol("openai-beta.realtime-v1"), Subprotocol("realtime")]
        async with connect(socket_url(proxy, "/v1/realtime"), subprotocols=offered) as client:
            assert client.subprotocol == "realtime"


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "bye"), (4008, "too slow"), (3000, "é")])
async def test_close_codes_cross_from_the_upstream(start_proxy: StartProxy, code: int, reason: str) -> None:
    async def handler(peer: ServerConnection) -> None:
        await peer.close(code, reason)

    async with upstream(handler) as url:
        proxy = start_proxy({"base_url": url})
        async with connect(socket_url(proxy, "/v1/realtime")) as client:
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert (client.close_code, client.close_reason) == (code, reason)
        assert (await recorded(proxy)).status == 101


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "bye"), (4008, "enough")])
async def test_close_codes_cross_from_the_agent(start_proxy: StartProxy, code: int, reason: str) -> None:
    closed: asyncio.Future[tuple[int | None, str | None]] = asyncio.get_running_loop().create_future()

    async def handler(peer: ServerConnection) -> None:
        await echo(peer)
        closed.set_result((peer.close_code, peer.close_reason))

    async with upstream(handler) as url:
        proxy = start_proxy({"base_url": url})
        client = await connect(socket_url(proxy, "/v1/realtime"))
        await client.close(code, reason)
        assert await asyncio.wait_for(closed, 20) == (code, reason)
        assert (await recorded(proxy)).status == 101


async def test_an_agent_that_vanishes_ends_the_upstreams_connection(start_proxy: StartProxy) -> None:
    ended = asyncio.Event()

    async def handler(peer: ServerConnection) -> None:
        await echo(peer)
        ended.set()

    async with upstream(handler) as url:
        proxy = start_proxy({"base_url": url})
        client = await connect(socket_url(proxy, "/v1/realtime"))
        client.transport.abort()
        await asyncio.wait_for(ended.wait(), 20)
        assert len(await asyncio.to_thread(proxy.records, 1)) == 1


async def test_a_refused_handshake_keeps_its_status_and_body(start_proxy: StartProxy) -> None:
    def refuse(peer: ServerConnection, _: Request) -> Response:
        response = peer.respond(HTTPStatus.FORBIDDEN, '{"error": {"message": "no"}}')
        response.headers["x-request-id"] = "req_9"
        return response

    async with upstream(echo, process_request=refuse) as url:
        proxy = start_proxy({"base_url": url})
        with pytest.raises(InvalidStatus) as refused:
            await connect(socket_url(proxy, "/v1/realtime"))
        answer = refused.value.response
        assert (answer.status_code, answer.body) == (403, b'{"error": {"message": "no"}}')
        assert answer.headers["x-request-id"] == "req_9"
        assert (await recorded(proxy)).status == 403


async def test_an_upstream_that_is_down_refuses_the_handshake_in_our_shape(start_proxy: StartProxy) -> None:
    proxy = start_proxy({"base_url": "http://127.0.0.1:9/v1"})
    with pytest.raises(InvalidStatus) as refused:
        await connect(socket_url(proxy, "/v1/realtime"))
    answer = refused.value.response
    assert answer.status_code == 502
    assert json.loads(answer.body or b"")["error"]["code"] == "upstream_connect"
    record = await recorded(proxy)
    assert (record.status, record.attempts[0].cause) == (502, "connect")


async def test_a_socket_needs_a_key_where_keys_are_asked_for(
    start_proxy: StartProxy, llm: RunningServer
) -> None:
    section = {"base_url": llm.base_url, "api_key_env": "LLM_KEY"}
    proxy = start_proxy(section, environ={"LLM_KEY": "k"}, auth={"mode": "keys"})
    with pytest.raises(InvalidStatus) as refused:
        await connect(socket_url(proxy, "/v1/realtime"))
    assert refused.value.response.status_code == 401
    assert (await recorded(proxy)).status == 401
