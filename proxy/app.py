"""The composed server: one ASGI callable that knows which part answers what, and owns what must be closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from proxy.agent import Handler
from proxy.asgi import AsgiApp, Receive, Scope, Send
from proxy.auth import Authenticator
from proxy.forward import Appends, Forwarder
from proxy.live import Live
from proxy.sending import UpstreamClient
from proxy.transport.base import Transport
from proxy.understudy import UnderstudyClient
from proxy.websocket import WebSocketRelay
from wire.check import AnswerChecker

log = logging.getLogger("understudy.proxy")

Background = Callable[[], Awaitable[None]]
"""Runs beside the server until it is cancelled."""


class App:
    """What is not the data path, as ASGI: websockets, control pages, start and end; `handle` is the data path."""

    def __init__(
        self,
        forward: Handler,
        websocket: AsgiApp,
        control: AsgiApp,
        transport: Transport,
        background: Sequence[Background],
    ) -> None:
        self.handle = forward
        self._websocket = websocket
        self._control = control
        self._transport = transport
        self._background = background

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await self._control(scope, receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        tasks = [asyncio.ensure_future(background()) for background in self._background]
        for task in tasks:
            task.add_done_callback(_report)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._transport.aclose()
        await send({"type": "lifespan.shutdown.complete"})


def create_app(
    live: Live,
    auth: Authenticator,
    journal: Appends,
    transport: Transport,
    control: AsgiApp,
    *,
    background: Sequence[Background] = (),
) -> App:
    """Compose the server from its parts. The transport is closed at shutdown; the journal is the caller's to close,
    after the last call has ended."""
    forwarder = Forwarder(
        live.snapshot,
        auth,
        UpstreamClient(transport),
        UnderstudyClient(transport, AnswerChecker()),
        journal,
    )
    return App(forwarder.handle, WebSocketRelay(live.snapshot, auth, journal), control, transport, background)


def _report(task: asyncio.Future[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a background task of this worker ended: %r", error)
