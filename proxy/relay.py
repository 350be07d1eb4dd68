"""Bytes from a model to the agent, as they arrive, with a copy for the record.

The record is written before the last byte is handed over: a client that has everything is in the journal. The last
byte is the one that completes `content-length`, or the stream's own end marker, or the end of the body, whichever
comes first.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Final

from proxy import header_rules
from proxy.agent import Agent
from proxy.call import Call
from proxy.errors import BrokenAnswer, cause_of
from proxy.transport.base import Response, TransportError
from wire.errors import sse_error
from wire.sse import Splitter
from wire.usage_splice import UsageSplicer

Finish = Callable[[Call], None]
"""Writes the call's record; called once, before the last byte leaves."""

_END_MARKER: Final = re.compile(
    rb"[\r\n](?:data: ?\[DONE\]|event: ?(?:message_stop|response\.(?:completed|failed|incomplete))\b)"
)
_BLANK_LINE: Final = re.compile(rb"\n\r?\n|\r\r")
_LONGEST_MARKER: Final = 40
_WITHOUT_BODY: Final = frozenset({204, 304})


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

    __slots__ = ("_agent", "_call", "_deadline", "_filter", "_finish", "_marked", "_tail")

    def __init__(
        self,
        call: Call,
        agent: Agent,
        finish: Finish,
        usage_filter: UsageFilter | None,
        deadline: float | None = None,
    ) -> None:
        self._call = call
        self._agent = agent
        self._finish = finish
        self._filter = usage_filter
        self._deadline = deadline
        self._marked = False
        self._tail = b"\n"

    async def run(self, response: Response, own: bytes) -> None:
        """Relay the response to its end; `own` are our header lines. Raises BrokenAnswer when it breaks off after its
        head went out."""
        call = self._call
        fields = dict(response.headers)
        note_head(call, response.status, fields)
        head = header_rules.for_agent(response.headers, fields) + own
        whole = response.whole() if self._filter is None else None
        if whole is not None:
            self._all_at_once(response.status, head, whole, fields)
            return
        is_events = call.response_type.startswith("text/event-stream")
        length = None if self._filter else _length_of(fields)
        self._agent.start(response.status, head, length=length)
        self._agent.hurry()
        takes_events = is_events and length is None and not call.response_encoding
        try:
            if self._deadline is None:
                await self._body(response, length, is_events=is_events)
            else:
                async with asyncio.timeout_at(self._deadline):
                    await self._body(response, length, is_events=is_events)
        except TransportError as error:
            self._break_off(cause_of(error), takes_events=takes_events)
        except TimeoutError:
            self._break_off("total_timeout", takes_events=takes_events)

    def _all_at_once(self, status: int, head: bytes, body: bytes, fields: Mapping[bytes, bytes]) -> None:
        """The common case of a short answer: record it, and let head and body leave together."""
        call = self._call
        call.mark_first_byte()
        call.response.add(body)
        self._finish(call)
        has_body = call.method != "HEAD" and status not in _WITHOUT_BODY
        self._agent.start(status, head, length=len(body) if has_body else _length_of(fields))
        self._agent.finish(body)

    async def _body(self, response: Response, length: int | None, *, is_events: bool) -> None:
        call, agent = self._call, self._agent
        passed = 0
        call.waits()
        async for chunk in response.chunks():
            if call.first_byte < 0:
                call.resumes()  # later chunks pass while the model writes on: only the first can be late by us
            data = self._filter.feed(chunk) if self._filter else chunk
            if data:
                call.mark_first_byte()
                call.response.add(data)
                passed += len(data)
                if passed == length:
                    self._finish(call)
                    agent.finish(data)
                    return
                if is_events and self._ends(data):
                    self._note_usage()
                    self._finish(call)
                call.waits()  # for an agent that reads slowly, too
                await agent.send(data)
            call.waits()
        call.resumes()
        self._end()

    def _end(self) -> None:
        rest = self._filter.rest() if self._filter else b""
        if rest:
            self._call.response.add(rest)
        self._note_usage()
        self._finish(self._call)
        self._agent.finish(rest)

    def _note_usage(self) -> None:
        if self._filter is not None:
            self._call.usage_response = self._filter.usage

    def _ends(self, data: bytes) -> bool:
        """Whether the event that ends the stream is complete with these bytes, wherever chunks were cut."""
        window = self._tail + data
        if not self._marked:
            self._tail = window[-_LONGEST_MARKER:]
            marker = _END_MARKER.search(window)
            if marker is None:
                return False
            self._marked = True
            window = window[marker.end() :]
        self._tail = window[-4:]
        return _BLANK_LINE.search(window) is not None

    def _break_off(self, cause: str, *, takes_events: bool) -> None:
        call, agent = self._call, self._agent
        call.resumes()
        call.broke(cause)
        if not takes_events:
            self._finish(call)
            raise BrokenAnswer
        event = sse_error(
            call.endpoint,
            f"The answer broke off: {call.target!r} stopped in the middle of its stream ({cause}).",
            type="upstream_error",
            code=f"upstream_{cause}",
        )
        between = self._tail == b"\n" or self._tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r"))
        lead = b"" if between else b"\n\n"
        call.response.add(lead + event)
        self._note_usage()
        self._finish(call)
        agent.finish(lead + event)


def note_head(call: Call, status: int, fields: Mapping[bytes, bytes]) -> None:
    """Note for the record what a response head says."""
    call.status = status
    call.response_type = fields.get(b"content-type", b"")[:200].decode("latin-1")
    if request_id := fields.get(b"x-request-id"):
        call.upstream_request_id = request_id[:200].decode("latin-1")
    if encoding := fields.get(b"content-encoding"):
        call.response_encoding = encoding[:40].decode("latin-1")


def _length_of(fields: Mapping[bytes, bytes]) -> int | None:
    value = fields.get(b"content-length", b"")
    return int(value) if value.isdigit() else None
