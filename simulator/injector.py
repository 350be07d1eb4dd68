"""Breaks responses on request: an ASGI middleware that applies a Fault to what the app beneath sends."""

from __future__ import annotations

import re

import orjson

from serving.endpoints.asgi import ASGIApp, Receive, Scope, Send, header, read_body, replayed
from serving.endpoints.errors import ApiError
from simulator.connection import connection_of
from simulator.faults import Fault, FaultPlan
from simulator.sabotage import Sabotage, Struck, ended, stall

_MODEL_SPEC = re.compile(rb'"model"\s*:\s*"simulate:([^"]*)"')


class FaultInjector:
    """Wraps an app; `x-simulate`, a model named `simulate:…` and the plan's standing faults decide what breaks."""

    def __init__(self, app: ASGIApp, plan: FaultPlan) -> None:
        self._app = app
        self._plan = plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        try:
            fault = self._plan.pick(_spec(scope, body))
        except ApiError as error:
            await _refuse(send, error)
            return
        if fault is None:
            await self._app(scope, replayed(body, receive), send)
            return
        try:
            await _before_head(fault, body, scope, receive, send)
            await self._app(scope, replayed(body, receive), Sabotage(fault, scope, receive, send))
        except Struck:
            return


def _spec(scope: Scope, body: bytes) -> str:
    asked = header(scope, "x-simulate")
    if asked:
        return asked
    found = _MODEL_SPEC.search(body)
    return found.group(1).decode() if found else ""


async def _before_head(fault: Fault, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
    if fault.stall == "head":
        await stall(fault.seconds, receive)
    if fault.reset == "head":
        raise await ended(connection_of(scope).reset, receive)
    if fault.close == "head":
        raise await ended(connection_of(scope).close, receive)
    if fault.malformed == "http":
        connection_of(scope).write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        raise await ended(connection_of(scope).close, receive)
    if fault.reject and f'"{fault.reject}"'.encode() in body:
        await _refuse(send, ApiError(400, f"Unknown parameter: '{fault.reject}'.", param=fault.reject))
        raise Struck
    if fault.status:
        await _answer_status(fault, send)
        raise Struck


async def _answer_status(fault: Fault, send: Send) -> None:
    kinds = {401: "invalid_request_error", 404: "invalid_request_error", 429: "requests"}
    kind = kinds.get(fault.status, "invalid_request_error" if fault.status < 500 else "server_error")
    code = "rate_limit_exceeded" if fault.status == 429 else None
    named = {
        "retry-after": fault.retry_after,
        "retry-after-ms": fault.retry_after_ms,
        "x-should-retry": fault.should_retry,
    }
    headers = {name: value for name, value in named.items() if value}
    error = ApiError(fault.status, fault.message, type=kind, code=code, headers=headers)
    await _refuse(send, error, raw=fault.body.encode() or None)


async def _refuse(send: Send, error: ApiError, raw: bytes | None = None) -> None:
    body = raw or orjson.dumps(error.envelope())
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-request-id": "req_simulated",
    }
    lines = [(k.encode(), v.encode()) for k, v in (headers | error.headers).items()]
    await send({"type": "http.response.start", "status": error.status, "headers": lines})
    await send({"type": "http.response.body", "body": body, "more_body": False})
