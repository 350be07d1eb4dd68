"""WebSockets: /v1/realtime and /v1/responses, as a simple event protocol that shows relaying to work.

Realtime: `session.created` on connect; every JSON event comes back as `{"type": "simulator.echo", "event": …}`, and
`response.create` brings a small response. Responses: `response.create` events are answered by the brain with the
events of the Responses API, one per message. Binary frames come back as they are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson

from serving.endpoints.asgi import Receive, Scope, Send, header

Respond = Callable[[dict[str, Any]], AsyncIterator[bytes]]
"""Answers the body of a `response.create` with JSON events."""


async def serve_socket(scope: Scope, receive: Receive, send: Send, respond: Respond) -> None:
    """One WebSocket connection, from its handshake to its close."""
    await receive()
    path = scope["path"]
    if path not in ("/v1/realtime", "/v1/responses"):
        await send({"type": "websocket.close", "code": 4004, "reason": "no such socket"})
        return
    protocols = [name.strip() for name in header(scope, "sec-websocket-protocol").split(",") if name.strip()]
    await send({"type": "websocket.accept", "subprotocol": protocols[0] if protocols else None})
    if path == "/v1/realtime":
        await _say(
            send,
            {"type": "session.created", "event_id": "event_0", "session": {"object": "realtime.session"}},
        )
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("bytes") is not None:
            await send({"type": "websocket.send", "bytes": message["bytes"]})
        else:
            await _answer(send, path, message["text"], respond)


async def _answer(send: Send, path: str, text: str, respond: Respond) -> None:
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError:
        event = None
    if not isinstance(event, dict):
        error = {
            "type": "invalid_request_error",
            "message": "The event is not a JSON object.",
            "code": "invalid_json",
        }
        await _say(send, {"type": "error", "error": error})
    elif event.get("type") != "response.create":
        await _say(send, {"type": "simulator.echo", "event": event})
    elif path == "/v1/responses":
        async for answer in respond(event):
            await send({"type": "websocket.send", "text": answer.decode()})
    else:
        response = {"object": "realtime.response", "id": "resp_0"}
        await _say(send, {"type": "response.created", "response": response | {"status": "in_progress"}})
        for delta in ("Hello", " from", " the", " simulator", "."):
            await _say(send, {"type": "response.output_text.delta", "delta": delta})
        await _say(send, {"type": "response.done", "response": response | {"status": "completed"}})


async def _say(send: Send, event: dict[str, Any]) -> None:
    await send({"type": "websocket.send", "text": orjson.dumps(event).decode()})
