"""Bytes from a model to the agent, as they arrive, with a copy for the record.

The record is written before the last byte is handed over: a client that has everything is in the journal. The last
byte is the one that completes `content-length`, or the stream's own end marker, or the end of the body, whichever
comes first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from proxy import headers as header_rules
from proxy.agent import Agent
from proxy.call import Call
from proxy.errors import BrokenAnswer, cause_of
from proxy.transport.base import Headers, Response, TransportError
from wire.errors import sse_error
from wire.sse import Splitter
from wire.usage_splice import UsageSplicer

Finish = Callable[[Call], None]
"""Writes the call's record; called once, before the last byte leaves."""

_END_MARKER: Final = re.compile(
    rb"^(?:data: ?\[DONE\]|event: ?(?:message_stop|response\.(?:completed|failed|incomplete))\b)",
    re.MULTILINE,
)
_LONGEST_MARKER: Final = 40


class UsageFilter:
    """Takes back out of a stream what `include_usage` put into it."""

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._splicer = UsageSplicer()

    def feed(self, chunk: bytes) -> bytes:
        """The bytes the agent would have received for the events that this chunk completes."""
        return b"".join([self._splicer.feed(block) for block in self._splitter.feed(chunk)])

    def rest(self) -> bytes:
        """Bytes of an event that never ended."""
        return self._splitter.rest

    @property
    def usage(self) -> bytes:
        return self._splicer.usage_block or b""


def filter_for(response: Response, *, injected: bool) -> UsageFilter | None:
    """The filter for a response to a request that had usage injected; None where there is nothing to take out."""
    headers = response.headers
    plain = not header_rules.first(headers, b"content-encoding")
    events = header_rules.first(headers, b"content-type").startswith("text/event-stream")
    return UsageFilter() if injected and plain and events else None


class Relay:
    """One response on its way to the agent."""

    __slots__ = ("_agent", "_call", "_filter", "_finish", "_tail")

    def __init__(
        self, call: Call, agent: Agent, finish: Finish, *, usage_filter: UsageFilter | None = None
    ) -> None:
        self._call = call
        self._agent = agent
        self._finish = finish
        self._filter = usage_filter
        self._tail = b""

    async def run(self, response: Response, own_headers: Headers) -> None:
        """Relay the response to its end. Raises BrokenAnswer when it breaks off after its head went out."""
        call = self._call
        note_head(call, response)
        is_events = call.response_type.startswith("text/event-stream")
        headers = header_rules.for_agent(response.headers, drop_length=self._filter is not None) + own_headers
        length = -1 if self._filter else _content_length(response)
        await self._agent.start(response.status, headers)
        try:
            await self._body(response, length, is_events=is_events)
        except TransportError as error:
            call.resumes()
            await self._break_off(error, is_events=is_events)
        call.resumes()

    async def _body(self, response: Response, length: int, *, is_events: bool) -> None:
        call, agent = self._call, self._agent
        passed = 0
        call.waits()
        async for chunk in response.chunks():
            call.resumes()
            data = self._filter.feed(chunk) if self._filter else chunk
            if data:
                call.mark_first_byte()
                call.response.add(data)
                passed += len(data)
                if passed == length:
                    self._finish(call)
                    await agent.finish(data)
                    return
                if is_events and self._ends(data):
                    self._note_usage()
                    self._finish(call)
                await agent.send(data)
            call.waits()
        call.resumes()
        await self._end()

    async def _end(self) -> None:
        rest = self._filter.rest() if self._filter else b""
        if rest:
            self._call.response.add(rest)
        self._note_usage()
        self._finish(self._call)
        await self._agent.finish(rest)

    def _note_usage(self) -> None:
        if self._filter is not None:
            self._call.usage_response = self._filter.usage

    def _ends(self, data: bytes) -> bool:
        """Whether the stream's end marker is complete with these bytes, wherever chunks were cut."""
        window = self._tail + data
        self._tail = window[-_LONGEST_MARKER:]
        return _END_MARKER.search(window) is not None

    async def _break_off(self, error: TransportError, *, is_events: bool) -> None:
        call, agent = self._call, self._agent
        call.broke(cause_of(error))
        if not is_events:
            self._finish(call)
            raise BrokenAnswer from error
        event = sse_error(
            call.endpoint,
            f"The answer broke off: {call.target!r} stopped in the middle of its stream ({cause_of(error)}).",
            type="upstream_error",
            code=f"upstream_{cause_of(error)}",
        )
        rest = (self._filter.rest() if self._filter else b"") or self._tail[-2:]
        lead = b"" if rest.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")) or not rest else b"\n\n"
        call.response.add(lead + event)
        self._note_usage()
        self._finish(call)
        await agent.finish(lead + event)


def note_head(call: Call, response: Response) -> None:
    """Note for the record what the response head says."""
    headers = response.headers
    call.status = response.status
    call.upstream_request_id = header_rules.first(headers, b"x-request-id")[:200]
    call.response_type = header_rules.first(headers, b"content-type")[:200]
    call.response_encoding = header_rules.first(headers, b"content-encoding")[:40]


def _content_length(response: Response) -> int:
    value = header_rules.first(response.headers, b"content-length")
    return int(value) if value.isdigit() else -1
