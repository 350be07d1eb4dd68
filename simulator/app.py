"""The simulated API as an ASGI app.

    create_app(brain, faults, latency, settings) -> Recorder(FaultInjector(Api))

Requests are told apart in one table; a handler either answers or raises ApiError, and errors are worded in one place.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson

from serving.endpoints.asgi import Receive, Scope, Send
from serving.endpoints.base import Endpoint, Reply
from serving.endpoints.dialect import Dialect
from serving.endpoints.errors import ApiError, not_found, unknown_model, wrong_key
from serving.endpoints.exchange import Exchange
from serving.endpoints.generating import GENERATING, generating
from serving.endpoints.tokens import identifier
from serving.endpoints.validation import check, parse
from simulator import resources
from simulator.activity import Recorder
from simulator.brain import Brain
from simulator.faults import FaultPlan
from simulator.injector import FaultInjector
from simulator.latency import NO_DELAY, Latency
from simulator.settings import Settings
from simulator.sockets import serve_socket

SERVER = "understudy-simulator"
_PAGE = (
    "Understudy simulator: a stand-in for an OpenAI-compatible API, for demos, tests and benchmarks. "
    "No model runs here and no answer means anything.\n"
)
_Handler = Callable[[Exchange, Settings], Awaitable[None]]
_RATE_LIMITS = {
    "x-ratelimit-limit-requests": "10000",
    "x-ratelimit-limit-tokens": "2000000",
    "x-ratelimit-remaining-requests": "9999",
    "x-ratelimit-remaining-tokens": "1999000",
    "x-ratelimit-reset-requests": "6ms",
    "x-ratelimit-reset-tokens": "30ms",
}


def create_app(
    brain: Brain,
    faults: FaultPlan | None = None,
    latency: Latency = NO_DELAY,
    settings: Settings | None = None,
    *,
    keep: int = 0,
) -> Recorder:
    """The simulator as an ASGI app; `keep` is how many requests it remembers for tests (`app.seen`)."""
    api = Api(brain, latency, settings or Settings())
    return Recorder(FaultInjector(api, faults or FaultPlan()), keep=keep)


class Api:
    """The endpoints of the simulated API over one brain."""

    def __init__(self, brain: Brain, latency: Latency, settings: Settings) -> None:
        self._brain = brain
        self._latency = latency
        self._settings = settings
        self._requests = 0
        files = resources.Files()
        self._chat_endpoints: dict[str, Endpoint] = generating()
        self._routes: tuple[tuple[str, re.Pattern[str], _Handler], ...] = (
            ("POST", GENERATING, self._generate),
            ("POST", re.compile("/v1/embeddings"), resources.embeddings),
            ("GET", re.compile("/v1/models"), resources.list_models),
            ("GET", re.compile("/v1/models/.+"), resources.get_model),
            ("POST", re.compile("/v1/files"), files.upload),
            ("GET", re.compile("/v1/files"), files.list),
            ("GET", re.compile("/v1/files/[^/]+"), files.get),
            ("DELETE", re.compile("/v1/files/[^/]+"), files.delete),
            ("GET", re.compile("/v1/files/[^/]+/content"), files.content),
            ("POST", re.compile("/v1/audio/speech"), resources.speech),
            ("GET", re.compile("/"), self._page),
            ("GET", re.compile("/health"), self._health),
            ("GET", re.compile("/metrics"), self._metrics),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, WebSocket or lifespan."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await serve_socket(scope, receive, send, self._respond)
        else:
            await self._serve(Exchange(scope, receive, send, scope["path"]))

    async def _serve(self, exchange: Exchange) -> None:
        self._requests += 1
        exchange.headers = self._headers()
        try:
            handler = self._find(exchange)
            if exchange.path.startswith("/v1/"):
                self._authenticate(exchange)
            await handler(exchange, self._settings)
        except ApiError as error:
            await exchange.send_json(self._settings.dialect.error(error), error.status, error.headers)

    def _find(self, exchange: Exchange) -> _Handler:
        matching = [route for route in self._routes if route[1].fullmatch(exchange.path)]
        if not matching:
            raise not_found(exchange.method, exchange.path)
        method = "GET" if exchange.method == "HEAD" else exchange.method
        handler = next((route[2] for route in matching if route[0] == method), None)
        if handler is None:
            allowed = ", ".join(sorted({route[0] for route in matching}))
            message = f"Not allowed to {exchange.method} on {exchange.path} (allowed: {allowed})."
            raise ApiError(405, message, headers={"allow": allowed})
        return handler

    def _headers(self) -> dict[str, str]:
        fixed = self._settings.clock == "fixed"
        serial = 0 if fixed else f"{self._requests}/{time.time_ns()}"
        headers = {"server": SERVER, "x-request-id": f"req_{identifier(f'request/{serial}', 32).lower()}"}
        if self._settings.dialect.name == "openai":
            headers |= {"openai-version": "2020-10-01", "openai-organization": "simulated"}
            headers |= {
                "openai-processing-ms": "12" if fixed else str(10 + self._requests % 40)
            } | _RATE_LIMITS
        return headers

    def _authenticate(self, exchange: Exchange) -> None:
        wanted = self._settings.require_key
        bearer = exchange.header("authorization").removeprefix("Bearer ")
        given = bearer or exchange.header("x-api-key")
        if wanted and given != wanted:
            raise wrong_key(given)

    async def _generate(self, exchange: Exchange, settings: Settings) -> None:
        endpoint = self._chat_endpoints[exchange.path]
        body = parse(await exchange.body())
        index = exchange.header("x-trace-index")
        reply = self._reply(endpoint, body, int(index) if index.isdecimal() else 0)
        if not await exchange.wait(self._latency.first(reply.prompt)):
            return
        if body.get("stream"):
            await exchange.stream(self._paced(endpoint.events(reply)), "text/event-stream; charset=utf-8")
            return
        if await exchange.wait(reply.usage.completion * self._latency.per_token()):
            await _answer(exchange, endpoint.whole(reply), compress=settings.compress)

    def _reply(self, endpoint: Endpoint, body: dict[str, Any], choice: int) -> Reply:
        settings = self._settings
        check(body, endpoint.name, strict=settings.dialect.strict)
        if not settings.has(body["model"]):
            raise _no_model(body["model"], settings.dialect)
        try:
            prompt = endpoint.prompt(body, choice)
            count = min(max(endpoint.count(body), 1), 128)
            answers = tuple(self._brain.answer(prompt, index) for index in range(count))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            message = f"Invalid request body: {type(error).__name__} while reading it."
            raise ApiError(400, message, code="invalid_type") from error
        return Reply(prompt, answers, settings.now(), settings.dialect, settings.obfuscate)

    async def _paced(self, events: Any) -> AsyncIterator[bytes]:
        pause = self._latency.per_token()
        for event in events:
            yield event
            await asyncio.sleep(pause)

    async def _respond(self, event: dict[str, Any]) -> AsyncIterator[bytes]:
        """Answers a `response.create` on the responses WebSocket with the JSON of each stream event."""
        body = {key: value for key, value in event.items() if key != "type"}
        endpoint = self._chat_endpoints["/v1/responses"]
        try:
            reply = self._reply(endpoint, body, 0)
        except ApiError as error:
            yield orjson.dumps({"type": "error", "status": error.status} | error.envelope())
            return
        async for line in self._paced(endpoint.events(reply)):
            yield line.partition(b"data: ")[2].strip()

    async def _page(self, exchange: Exchange, _: Settings) -> None:
        await exchange.send_bytes(_PAGE.encode(), "text/plain; charset=utf-8")

    async def _health(self, exchange: Exchange, _: Settings) -> None:
        await exchange.send_bytes(b"", "text/plain")

    async def _metrics(self, exchange: Exchange, _: Settings) -> None:
        name = (
            "vllm:request_success_total"
            if self._settings.dialect.name == "vllm"
            else "simulator_requests_total"
        )
        text = f"# TYPE {name} counter\n{name} {self._requests}\n"
        await exchange.send_bytes(text.encode(), "text/plain; version=0.0.4; charset=utf-8")


def _no_model(model: str, dialect: Dialect) -> ApiError:
    if dialect.name == "vllm":
        return ApiError(404, f"The model `{model}` does not exist.", param="model")
    return unknown_model(model)


async def _answer(exchange: Exchange, value: Any, *, compress: bool) -> None:
    if compress and "gzip" in exchange.header("accept-encoding"):
        packed = gzip.compress(orjson.dumps(value), mtime=0)
        await exchange.send_bytes(
            packed, "application/json", headers={"content-encoding": "gzip", "vary": "accept-encoding"}
        )
    else:
        await exchange.send_json(value)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
