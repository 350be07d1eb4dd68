"""The head server as an ASGI app: the OpenAI API over the heads on the shelf."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

from router.input_text import input_text
from serving.endpoints import answer as said
from serving.endpoints.answer import Answer, limited
from serving.endpoints.asgi import Receive, Scope, Send
from serving.endpoints.base import Endpoint, Reply
from serving.endpoints.dialect import VllmDialect
from serving.endpoints.errors import ApiError, not_found, unknown_model
from serving.endpoints.exchange import Exchange
from serving.endpoints.generating import GENERATING, generating
from serving.endpoints.prompt import Prompt
from serving.endpoints.validation import check, parse
from serving.heads.desk import Desk
from serving.heads.head import Head, Prediction
from serving.heads.shelf import Shelf
from wire.shape import endpoint_of

log = logging.getLogger("understudy.heads")

CONFIDENCE: Final = "x-understudy-confidence"
"""Response header with the head's confidence, from 0 to 1."""

_POLL_SECONDS: Final = 0.5
_MOST_CHOICES: Final = 16
_DIALECT: Final = VllmDialect(name="heads", owner="understudy")
_Handler = Callable[[Exchange], Awaitable[None]]


class HeadServer:
    """Answers the routable endpoints with heads, and lists them."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._desk = Desk()
        self._endpoints: dict[str, Endpoint] = generating()
        self._routes: tuple[tuple[str, re.Pattern[str], _Handler], ...] = (
            ("POST", GENERATING, self._generate),
            ("GET", re.compile("/v1/models"), self._list),
            ("GET", re.compile("/v1/models/.+"), self._show),
            ("GET", re.compile("/health"), self._health),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1003})
        else:
            await self._serve(Exchange(scope, receive, send, scope["path"]))

    async def _serve(self, exchange: Exchange) -> None:
        try:
            await self._find(exchange)(exchange)
        except ApiError as error:
            await exchange.send_json(error.envelope(), error.status, error.headers)

    def _find(self, exchange: Exchange) -> _Handler:
        matching = [route for route in self._routes if route[1].fullmatch(exchange.path)]
        if not matching:
            raise not_found(exchange.method, exchange.path)
        for method, _, handler in matching:
            if method == exchange.method:
                return handler
        allowed = ", ".join(route[0] for route in matching)
        message = f"Not allowed to {exchange.method} on {exchange.path} (allowed: {allowed})."
        raise ApiError(405, message, headers={"allow": allowed})

    async def _generate(self, exchange: Exchange) -> None:
        endpoint = self._endpoints[exchange.path]
        body = parse(await exchange.body())
        check(body, endpoint.name, strict=False)
        head = self._shelf.get(body["model"])
        if head is None:
            raise unknown_model(body["model"])
        prompt = _prompt(endpoint, body)
        prediction = await self._desk.predict(head, input_text(endpoint_of(exchange.path), body))
        exchange.headers = {CONFIDENCE: f"{prediction.confidence:.4f}"}
        reply = _reply(prompt, prediction, endpoint.count(body))
        if body.get("stream"):
            await exchange.stream(_each(endpoint.events(reply)), "text/event-stream; charset=utf-8")
        else:
            await exchange.send_json(endpoint.whole(reply))

    async def _list(self, exchange: Exchange) -> None:
        heads = sorted(self._shelf.heads.items())
        await exchange.send_json({"object": "list", "data": [_model(name, head) for name, head in heads]})

    async def _show(self, exchange: Exchange) -> None:
        name = exchange.path.removeprefix("/v1/models/")
        head = self._shelf.get(name)
        if head is None:
            raise unknown_model(name)
        await exchange.send_json(_model(name, head))

    async def _health(self, exchange: Exchange) -> None:
        complaints = self._shelf.complaints
        await exchange.send_json({"heads": len(self._shelf.heads), "complaints": dict(complaints)})

    async def _live(self, receive: Receive, send: Send) -> None:
        watching: asyncio.Task[None] | None = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                watching = asyncio.create_task(self._watch())
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                break
        if watching is not None:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
        self._desk.close()

    async def _watch(self) -> None:
        """Look after the published file for life; loading goes on beside answering."""
        while True:
            try:
                await asyncio.to_thread(self._shelf.refresh)
            except Exception:
                log.exception("the published heads could not be read; the ones before stay")
            await asyncio.sleep(_POLL_SECONDS)


def _prompt(endpoint: Endpoint, body: dict[str, Any]) -> Prompt:
    try:
        return endpoint.prompt(body)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"Invalid request body: {type(error).__name__} while reading it."
        raise ApiError(400, message, code="invalid_type") from error


def _reply(prompt: Prompt, prediction: Prediction, count: int) -> Reply:
    count = min(max(count, 1), _MOST_CHOICES)
    answers = tuple(_answer(prompt, prediction, index) for index in range(count))
    logprob = math.log(max(prediction.confidence, 1e-6))
    return Reply(prompt, answers, int(time.time()), _DIALECT, logprob=logprob)


def _answer(prompt: Prompt, prediction: Prediction, index: int) -> Answer:
    """The prediction in this request's form, cut where it asks for it."""
    if prediction.tool:
        return said.tool_calls(prompt, (prediction.tool, "{}"), index=index)
    return limited(Answer(prediction.text), prompt)


def _model(name: str, head: Head) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": head.created,
        "owned_by": "understudy",
        "root": head.encoder,
        "parent": None,
    }


async def _each(events: Iterable[bytes]) -> AsyncIterator[bytes]:
    for event in events:
        yield event
