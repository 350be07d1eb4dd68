"""Asking an understudy, and holding its answer until it may be trusted.

Structured answers (JSON, tool calls) are held whole and checked; free text is held until its first content token. Where
a threshold is set for an engine that tells the probabilities of its tokens, these are asked for, every answer is held
whole, and they are taken out again. Whatever goes wrong before the first byte reaches the agent is a `Declined`, and the
upstream is asked instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from proxy import header_rules
from proxy.call import Call
from proxy.engine_server import EngineServer, Lease
from proxy.errors import cause_of
from proxy.targets import Understudy
from proxy.transport.base import Headers, Request, Response, Transport, TransportError
from wire.accumulate import accumulator_for
from wire.certainty import certainty
from wire.check import AnswerChecker
from wire.logprobs_splice import inject, without_logprobs
from wire.shape import expects_structure
from wire.splice import SpliceError, replace_member
from wire.sse import Splitter, parse

DEFAULT_TIMEOUT: Final = 30.0
"""Seconds until an answer may be released, where neither rule nor understudy names a limit."""

CONFIDENCE_HEADER: Final = b"x-understudy-confidence"
"""By which an engine says how sure it is of its answer, and the agent is told: a number from 0 to 1."""

LARGEST_HELD: Final = 32 * 1024 * 1024
"""Bytes of an answer that may be held back; a longer one is declined."""

_NOT_CONNECTED: Final = ("connect", "connect_timeout")
"""Causes after which another server may be asked: nothing was sent."""

_LONG_SILENCE: Final = 5.0
"""Seconds after which a server that has said nothing has failed; a shorter limit is only the rule's impatience."""


class Declined(Exception):
    """The understudy did not give an answer that the agent may see; `cause` goes into the record."""

    def __init__(self, cause: str, status: int = 0) -> None:
        super().__init__(cause)
        self.cause = cause
        self.status = status


@dataclass(frozen=True, slots=True)
class Bar:
    """How sure an answer has to be, and how that is known."""

    threshold: float = 0.0
    probed: bool = False
    """Whether its tokens tell their probabilities; else only a header of the engine can say how sure it is."""
    injected: bool = False
    """Whether these were asked for behind the agent's back, and are to be taken out."""


_NO_BAR: Final = Bar()


@dataclass(slots=True)
class Held:
    """A response whose first chunks were read and approved; the rest follows as it arrives. Satisfies Response."""

    response: Response
    lease: Lease
    approved: list[bytes]
    complete: bool
    status: int = field(init=False)
    reason: bytes = field(init=False)
    headers: Headers = field(init=False)

    def __post_init__(self) -> None:
        self.status = self.response.status
        self.reason = self.response.reason
        self.headers = self.response.headers

    def whole(self) -> bytes | None:
        return b"".join(self.approved) if self.complete else None

    async def chunks(self) -> AsyncIterator[bytes]:
        for chunk in self.approved:
            yield chunk
        if not self.complete:
            async for chunk in self.response.chunks():
                yield chunk

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def aclose(self) -> None:
        self.lease.close()
        await self.response.aclose()


class UnderstudyClient:
    """Asks understudies through one transport and checks what they say."""

    def __init__(self, transport: Transport, checker: AnswerChecker) -> None:
        self._transport = transport
        self._checker = checker

    async def ask(
        self,
        call: Call,
        understudy: Understudy,
        body: bytes,
        parsed: Mapping[str, Any],
        *,
        limit: float | None,
        threshold: float = 0.0,
    ) -> Held:
        """Get an answer that may be shown, from the server with the fewest requests in flight; where that cannot be
        reached, from the next. Raises Declined, and leaves no connection open then.

        `limit` is in seconds; an answer whose confidence is below `threshold` is declined."""
        engine = understudy.engine
        seconds = limit or understudy.timeout or DEFAULT_TIMEOUT
        deadline = asyncio.get_running_loop().time() + seconds
        rewritten, bar = _with_model(body, understudy.model), _NO_BAR
        if threshold > 0:
            injected = inject(call.endpoint, rewritten, parsed) if engine.gives_logprobs else None
            bar = Bar(threshold, engine.gives_logprobs, injected is not None)
            rewritten = injected or rewritten
        servers = engine.willing()
        if not servers:
            raise Declined("breaker_open")
        while True:
            server = servers.pop(0)
            request = _request_for(call, understudy, server, rewritten)
            call.tries("slm", engine.name)
            call.waits()
            try:
                return await self._ask_server(call, server, request, parsed, bar, deadline)
            except Declined as declined:
                if not servers or declined.cause not in _NOT_CONNECTED:
                    raise
                call.tried("slm", engine.name, 0, declined.cause)
            finally:
                call.resumes()

    async def _ask_server(
        self,
        call: Call,
        server: EngineServer,
        request: Request,
        parsed: Mapping[str, Any],
        bar: Bar,
        deadline: float,
    ) -> Held:
        loop = asyncio.get_running_loop()
        lease, began = server.take(), loop.time()
        with ExitStack() as unless_held:
            unless_held.callback(lease.close)
            try:
                async with asyncio.timeout_at(deadline):
                    held = await self._approved(call, lease, request, parsed, bar)
            except TimeoutError:
                if loop.time() - began >= _LONG_SILENCE:
                    lease.failed()
                raise Declined("timeout") from None
            except TransportError as error:
                lease.failed()
                raise Declined(cause_of(error)) from error
            unless_held.pop_all()
            return held

    async def _approved(
        self,
        call: Call,
        lease: Lease,
        request: Request,
        parsed: Mapping[str, Any],
        bar: Bar,
    ) -> Held:
        response = await self._transport.send(request)
        lease.answered(response.status)
        try:
            if response.status >= 400:
                raise Declined("model_missing" if response.status == 404 else "status", response.status)
            said = call.confidence = _confidence(response)
            unsure = not bar.probed if said is None else said < bar.threshold
            if bar.threshold > 0 and unsure:
                raise Declined("confidence", response.status)
            return await self._hold(call, lease, response, parsed, bar)
        except BaseException:
            await response.aclose()
            raise

    async def _hold(
        self, call: Call, lease: Lease, response: Response, parsed: Mapping[str, Any], bar: Bar
    ) -> Held:
        is_events = header_rules.first(response.headers, b"content-type").startswith("text/event-stream")
        if call.stream != is_events:
            raise Declined("protocol", response.status)
        if is_events:
            return await self._hold_stream(call, lease, response, parsed, bar)
        chunks = [chunk async for chunk in _bounded(response)]
        try:
            answer = orjson.loads(b"".join(chunks))
        except orjson.JSONDecodeError:
            raise Declined("malformed", response.status) from None
        self._check(call, parsed, answer, response.status)
        held = Held(response, lease, chunks, complete=True)
        return _probed(call, bar, held, answer) if bar.probed else held

    async def _hold_stream(
        self, call: Call, lease: Lease, response: Response, parsed: Mapping[str, Any], bar: Bar
    ) -> Held:
        whole = bar.probed or expects_structure(call.endpoint, parsed)
        splitter, accumulator = Splitter(), accumulator_for(call.endpoint)
        held: list[bytes] = []
        async for chunk in _bounded(response):
            held.append(chunk)
            for block in splitter.feed(chunk):
                accumulator.feed(parse(block))
            if accumulator.error is not None:
                raise Declined("error_event", response.status)
            if accumulator.has_content and not whole:
                return Held(response, lease, held, complete=False)
        if not accumulator.done:
            raise Declined("truncated", response.status)
        answer = accumulator.body()
        self._check(call, parsed, answer, response.status)
        complete = Held(response, lease, held, complete=True)
        return _probed(call, bar, complete, answer or {}) if bar.probed else complete

    def _check(self, call: Call, parsed: Mapping[str, Any], answer: object, status: int) -> None:
        if not isinstance(answer, dict):
            raise Declined("malformed", status)
        cause = self._checker.check(call.endpoint, parsed, answer)
        if cause is not None:
            raise Declined(cause, status)


async def _bounded(response: Response) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in response.chunks():
        size += len(chunk)
        if size > LARGEST_HELD:
            raise Declined("too_large", response.status)
        yield chunk


def _probed(call: Call, bar: Bar, held: Held, answer: Mapping[str, Any]) -> Held:
    """The held answer as the agent shall see it; raises Declined when the model was not sure enough of some token."""
    if call.confidence is None:
        call.confidence = sure = certainty(call.endpoint, answer)
        if sure is None or sure < bar.threshold:
            raise Declined("confidence", held.status)
        held.headers = [*held.headers, (CONFIDENCE_HEADER, b"%.4f" % sure)]
    if bar.injected:
        try:
            held.approved = [without_logprobs(b"".join(held.approved), streamed=call.stream)]
        except SpliceError:
            raise Declined("malformed", held.status) from None
    return held


def _confidence(response: Response) -> float | None:
    """How sure the engine is of its answer; None where it does not say so in a number from 0 to 1."""
    try:
        said = float(header_rules.first(response.headers, CONFIDENCE_HEADER) or "nan")
    except ValueError:
        return None
    return said if 0 <= said <= 1 else None


def _with_model(body: bytes, model: str) -> bytes:
    try:
        return replace_member(body, "model", orjson.dumps(model))
    except SpliceError:
        raise Declined("no_model") from None


def _request_for(call: Call, understudy: Understudy, server: EngineServer, body: bytes) -> Request:
    engine = understudy.engine
    return Request(
        method="POST",
        url=server.url + call.path.removeprefix("/v1"),
        headers=call.headers.for_engine(engine.api_key),
        body=body,
        timeouts=engine.timeouts,
    )
