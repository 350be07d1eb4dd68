"""Asking an understudy, and holding its answer until it may be trusted.

Structured answers (JSON, tool calls) are held whole and checked; free text is held until its first content token.
Whatever goes wrong before the first byte reaches the agent is a `Declined`, and the upstream is asked instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from proxy import header_rules
from proxy.call import Call
from proxy.errors import cause_of
from proxy.targets import Understudy
from proxy.transport.base import Headers, Request, Response, Transport, TransportError
from wire.accumulate import accumulator_for
from wire.check import AnswerChecker
from wire.shape import expects_structure
from wire.splice import SpliceError, replace_member
from wire.sse import Splitter, parse

DEFAULT_TIMEOUT: Final = 30.0
"""Seconds until an answer may be released, where neither rule nor understudy names a limit."""

LARGEST_HELD: Final = 32 * 1024 * 1024
"""Bytes of an answer that may be held back; a longer one is declined."""


class Declined(Exception):
    """The understudy did not give an answer that the agent may see; `cause` goes into the record."""

    def __init__(self, cause: str, status: int = 0) -> None:
        super().__init__(cause)
        self.cause = cause
        self.status = status


@dataclass(slots=True)
class Held:
    """A response whose first chunks were read and approved; the rest follows as it arrives. Satisfies Response."""

    response: Response
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
    ) -> Held:
        """Get an answer that may be shown. Raises Declined, and leaves no connection open then."""
        seconds = limit or understudy.timeout or DEFAULT_TIMEOUT
        call.tries("slm", understudy.engine.name)
        call.waits()
        try:
            async with asyncio.timeout(seconds):
                held = await self._approved(call, understudy, body, parsed)
        except TimeoutError:
            raise Declined("timeout") from None
        except TransportError as error:
            raise Declined(cause_of(error)) from error
        finally:
            call.resumes()
        return held

    async def _approved(
        self, call: Call, understudy: Understudy, body: bytes, parsed: Mapping[str, Any]
    ) -> Held:
        response = await self._transport.send(_request_for(call, understudy, body))
        try:
            if response.status >= 400:
                raise Declined("status", response.status)
            return await self._hold(call, response, parsed)
        except BaseException:
            await response.aclose()
            raise

    async def _hold(self, call: Call, response: Response, parsed: Mapping[str, Any]) -> Held:
        is_events = header_rules.first(response.headers, b"content-type").startswith("text/event-stream")
        if call.stream != is_events:
            raise Declined("protocol", response.status)
        if is_events:
            return await self._hold_stream(call, response, parsed)
        chunks = [chunk async for chunk in _bounded(response)]
        try:
            answer = orjson.loads(b"".join(chunks))
        except orjson.JSONDecodeError:
            raise Declined("malformed", response.status) from None
        self._check(call, parsed, answer, response.status)
        return Held(response, chunks, complete=True)

    async def _hold_stream(self, call: Call, response: Response, parsed: Mapping[str, Any]) -> Held:
        whole = expects_structure(call.endpoint, parsed)
        splitter, accumulator = Splitter(), accumulator_for(call.endpoint)
        held: list[bytes] = []
        async for chunk in _bounded(response):
            held.append(chunk)
            for block in splitter.feed(chunk):
                accumulator.feed(parse(block))
            if accumulator.error is not None:
                raise Declined("error_event", response.status)
            if accumulator.has_content and not whole:
                return Held(response, held, complete=False)
        if not accumulator.done:
            raise Declined("truncated", response.status)
        self._check(call, parsed, accumulator.body(), response.status)
        return Held(response, held, complete=True)

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


def _request_for(call: Call, understudy: Understudy, body: bytes) -> Request:
    engine = understudy.engine
    try:
        rewritten = replace_member(body, "model", orjson.dumps(understudy.model))
    except SpliceError:
        raise Declined("no_model") from None
    return Request(
        method="POST",
        url=engine.url(call.path),
        headers=call.headers.for_engine(engine.api_key),
        body=rewritten,
        timeouts=engine.timeouts,
    )
