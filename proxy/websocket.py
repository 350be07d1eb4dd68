"""WebSockets of the API (`/v1/realtime`, `/v1/responses`): relayed message by message, never read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from proxy import header_rules
from proxy.agent_headers import AgentHeaders
from proxy.asgi import Receive, Scope, Send
from proxy.auth import Authenticator
from proxy.call import Call
from proxy.errors import Refusal
from proxy.forward import Appends
from proxy.snapshot import Snapshot
from proxy.targets import Upstream
from proxy.transport.base import Headers
from wire.errors import envelope

_HANDSHAKE: Final = frozenset(
    {
        b"sec-websocket-key",
        b"sec-websocket-version",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"sec-websocket-accept",
    }
)
_GONE: Final = 1001
_BROKEN: Final = 1011


class WebSocketRelay:
    """An ASGI callable for websocket scopes below `/v1/`."""

    def __init__(self, snapshot: Callable[[], Snapshot], auth: Authenticator, journal: Appends) -> None:
        self._snapshot = snapshot
        self._auth = auth
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = self._snapshot()
        call = _begin(scope, now)
        await receive()
        try:
            call.key = self._auth.caller(call.headers.lines).key
            upstream = now.upstreams.pick(_model_of(scope))
            await self._connect(call, scope, upstream, receive, send)
        except Refusal as refusal:
            call.status = refusal.status
            body = envelope(refusal.message, type=refusal.kind, code=refusal.code)
            await _deny(scope, send, refusal.status, [(b"content-type", b"application/json")], body)
        finally:
            self._journal.append(call.record())

    async def _connect(
        self, call: Call, scope: Scope, upstream: Upstream, receive: Receive, send: Send
    ) -> None:
        headers = upstream.sign(header_rules.for_upstream(call.headers.lines, without=_HANDSHAKE))
        call.tries("upstream", upstream.name)
        try:
            peer = await connect(
                "ws" + upstream.url(call.path).removeprefix("http"),
                additional_headers=[(name.decode(), value.decode("latin-1")) for name, value in headers],
                subprotocols=[Subprotocol(name) for name in scope["subprotocols"]] or None,
                user_agent_header=None,
                compression=None,
                proxy=None,
                max_size=None,
                ping_interval=None,
                open_timeout=upstream.timeouts.connect,
            )
        except InvalidStatus as error:
            answer = error.response
            call.status = answer.status_code
            call.tried("upstream", upstream.name, answer.status_code)
            lines = [(name.lower().encode(), value.encode()) for name, value in answer.headers.raw_items()]
            await _deny(scope, send, answer.status_code, lines, bytes(answer.body or b""))
            return
        except (OSError, TimeoutError, InvalidHandshake) as error:
            call.tried("upstream", upstream.name, 0, "connect")
            raise Refusal(
                502,
                f"The upstream {upstream.name!r} could not be reached for a websocket ({type(error).__name__}).",
                kind="upstream_error",
                code="upstream_connect",
            ) from error
        call.tried("upstream", upstream.name, 101)
        call.answers("upstream", upstream.name)
        call.status = 101
        async with peer:
            await send({"type": "websocket.accept", "subprotocol": peer.subprotocol, "headers": []})
            await _relay(call, peer, receive, send)


async def _relay(call: Call, peer: ClientConnection, receive: Receive, send: Send) -> None:
    """Both directions at once, until one side closes; the other is told with the same code."""
    tasks = {
        asyncio.create_task(_outwards(call, peer, receive)),
        asyncio.create_task(_inwards(call, peer, send)),
    }
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


async def _outwards(call: Call, peer: ClientConnection, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            await peer.close(_closing(message.get("code")), message.get("reason") or "")
            return
        text: str | None = message.get("text")
        data: str | bytes = message.get("bytes") or b"" if text is None else text
        call.request.size += len(data)
        try:
            await peer.send(data)
        except ConnectionClosed:
            return


async def _inwards(call: Call, peer: ClientConnection, send: Send) -> None:
    try:
        async for data in peer:
            call.mark_first_byte()
            call.response.size += len(data)
            kind = "text" if isinstance(data, str) else "bytes"
            await send({"type": "websocket.send", kind: data})
    except ConnectionClosed:
        pass
    await send(
        {
            "type": "websocket.close",
            "code": _closing(peer.close_code),
            "reason": peer.close_reason or "",
        }
    )


def _closing(code: int | None) -> int:
    """A code that may be sent: 1005 and 1006 only say that none was."""
    if code is None or code == 1005:
        return 1000
    return _BROKEN if code == 1006 else code


async def _deny(scope: Scope, send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Refuse the handshake with an HTTP answer where the server can, else by closing."""
    extensions: dict[str, Any] = scope.get("extensions") or {}
    if "websocket.http.response" not in extensions:
        await send({"type": "websocket.close", "code": _GONE})
        return
    lines = [line for line in headers if line[0] not in header_rules.RESPONSE_DROPS]
    lines.append((b"content-length", str(len(body)).encode()))
    await send({"type": "websocket.http.response.start", "status": status, "headers": lines})
    await send({"type": "websocket.http.response.body", "body": body})


def _begin(scope: Scope, now: Snapshot) -> Call:
    path: str = scope["path"]
    query: bytes = scope["query_string"]
    return Call(
        method="WEBSOCKET",
        path=f"{path}?{query.decode('latin-1')}" if query else path,
        endpoint="other",
        headers=AgentHeaders(scope["headers"]),
        config=now.version,
        limit=0,
    )


def _model_of(scope: Scope) -> str:
    for pair in scope["query_string"].decode("latin-1").split("&"):
        name, _, value = pair.partition("=")
        if name == "model":
            return str(value)
    return ""
