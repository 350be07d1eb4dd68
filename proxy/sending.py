"""Asking an upstream: retries before the first byte, under one budget, and usage injection where it is accepted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from msgspec import structs

from proxy import header_rules
from proxy.call import Call
from proxy.errors import cause_of, refusal_for
from proxy.targets import Upstream
from proxy.transport.base import ConnectError, Request, Response, SendError, Transport, TransportError

_FIRST_PAUSE: Final = 0.2
"""Seconds before the first extra try; doubled for each further one."""


@dataclass(slots=True)
class Sent:
    """A response whose head has arrived, and how it was obtained."""

    response: Response
    left: int
    """Extra tries that were not needed."""
    usage_injected: bool = False
    exhausted: bool = False
    """Whether the answer is a failure that stayed one after every retry: the client should not try again."""


class UpstreamClient:
    """Sends calls to upstreams through one transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(
        self, call: Call, upstream: Upstream, request: Request, injected: bytes | None = None
    ) -> Coroutine[Any, Any, Sent]:
        """Get a response head for the request.

        `injected` is the body with usage asked for; where the upstream refuses that with 400 or 422, the original is
        sent and the upstream remembered. Raises Refusal when no response can be had.
        """
        deadline = time.monotonic() + upstream.retries.budget
        left = upstream.retries.attempts if isinstance(request.body, bytes) else 0
        if injected is None:
            return self._with_retries(call, upstream, request, deadline, left)
        return self._with_usage(call, upstream, request, injected, deadline, left)

    async def _with_usage(
        self, call: Call, upstream: Upstream, request: Request, injected: bytes, deadline: float, left: int
    ) -> Sent:
        asking = structs.replace(request, body=injected)
        sent = await self._with_retries(call, upstream, asking, deadline, left)
        if sent.response.status not in (400, 422):
            sent.usage_injected = True
            return sent
        call.tried("upstream", upstream.name, sent.response.status, "usage_injection")
        await sent.response.aclose()
        sent = await self._with_retries(call, upstream, request, deadline, sent.left)
        if sent.response.status < 400:
            upstream.injects_usage = False
        return sent

    async def _with_retries(
        self, call: Call, upstream: Upstream, request: Request, deadline: float, left: int
    ) -> Sent:
        """`left` extra tries may start before `deadline` (seconds of the monotonic clock)."""
        repeatable = call.endpoint != "other"
        retries = upstream.retries
        pause = _FIRST_PAUSE
        while True:
            call.tries("upstream", upstream.name)
            try:
                response = await self._transport.send(request)
            except TransportError as error:
                call.tried("upstream", upstream.name, 0, cause_of(error))
                if left <= 0 or not _may_repeat(error, repeatable) or time.monotonic() + pause > deadline:
                    should_retry = False if _spent(upstream, request, left) else None
                    raise refusal_for(error, upstream.name, should_retry=should_retry) from error
            else:
                if response.status not in retries.statuses or not repeatable:
                    return Sent(response, left)
                wait = _retry_after(response, pause)
                if left <= 0 or time.monotonic() + wait > deadline:
                    return Sent(response, left, exhausted=_spent(upstream, request, left))
                call.tried("upstream", upstream.name, response.status, "status")
                await response.aclose()
                pause = wait
            left -= 1
            call.waits()
            await asyncio.sleep(pause)
            pause *= 2


def _spent(upstream: Upstream, request: Request, left: int) -> bool:
    """Whether the request was repeated; a body that is still being made cannot be."""
    return isinstance(request.body, bytes) and left < upstream.retries.attempts


def _may_repeat(error: TransportError, repeatable: bool) -> bool:
    return isinstance(error, ConnectError) or (repeatable and isinstance(error, SendError))


def _retry_after(response: Response, pause: float) -> float:
    """Seconds the upstream asks for (`retry-after-ms`, `retry-after`), else our own pause."""
    for name, unit in ((b"retry-after-ms", 0.001), (b"retry-after", 1.0)):
        value = header_rules.first(response.headers, name)
        if value.replace(".", "", 1).isdigit():
            return max(pause, float(value) * unit)
    return pause


def streamed(prefix: bytes, rest: AsyncIterator[bytes], call: Call) -> AsyncIterator[bytes]:
    """A request body that goes on as it arrives, with a bounded copy for the record."""

    async def body() -> AsyncIterator[bytes]:
        if prefix:
            call.request.add(prefix)
            yield prefix
        async for chunk in rest:
            call.request.add(chunk)
            yield chunk

    return body()
