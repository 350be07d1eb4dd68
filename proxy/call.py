"""One call's facts as they become known, and the record they end up in."""

from __future__ import annotations

import os
import time
from typing import Final

import msgspec

from proxy.agent_headers import AgentHeaders
from router.decision import Decision
from store.record import CLIENT_LEFT, Attempt, Endpoint, Record, Route


def new_call_id(now_ms: int) -> bytes:
    """16 bytes of a UUIDv7 (RFC 9562): millisecond time, then 74 random bits."""
    random = bytearray(os.urandom(10))
    random[0] = 0x70 | (random[0] & 0x0F)
    random[2] = 0x80 | (random[2] & 0x3F)
    return now_ms.to_bytes(6, "big") + random


def call_id_text(raw: bytes) -> str:
    """The usual 8-4-4-4-12 spelling."""
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


_UNDECIDED: Final = Decision("upstream", "")


class Capture(msgspec.Struct):
    """A bounded copy of bytes that pass by."""

    limit: int
    room: int
    """How much more is kept; at the start that is `limit`."""
    size: int = 0
    chunks: list[bytes] = []

    def add(self, chunk: bytes) -> None:
        length = len(chunk)
        self.size += length
        if length <= self.room:
            self.chunks.append(chunk)
            self.room -= length
        elif self.room > 0:
            self.chunks.append(chunk[: self.room])
            self.room = 0

    def clear(self) -> None:
        """Forget everything: what was captured did not reach the agent."""
        self.chunks = []
        self.room = self.limit
        self.size = 0

    def bytes(self) -> bytes:
        return self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)


class Call:
    """Mutable while the call lasts; `record()` freezes it. Times are nanoseconds of the performance counter.

    What most calls never change stands on the class, so that beginning a call costs little."""

    confidence: float | None = None
    decision: Decision | None = None
    fallback = ""
    first_byte = -1
    key = ""
    recorded = False
    requested_model = ""
    response_encoding = ""
    response_type = ""
    route: Route = "upstream"
    served_model = ""
    status = CLIENT_LEFT
    stream = False
    target = ""
    understudy = ""
    upstream_request_id = ""
    usage_response = b""
    _attempt_started = 0
    _marked = 0
    _pending: tuple[Route, str] | None = None
    _waiting = 0

    def __init__(
        self,
        *,
        method: str,
        path: str,
        endpoint: Endpoint,
        headers: AgentHeaders,
        config: str,
        limit: int,
        started: int | None = None,
    ) -> None:
        self.started = time.perf_counter_ns() if started is None else started
        now = time.time_ns()
        self.started_us = now // 1000
        self.id = new_call_id(now // 1_000_000)
        self.method = method
        self.path = path
        self.endpoint: Endpoint = endpoint
        self.headers = headers
        self.config = config
        self.store_content = headers.store
        self.request = Capture(limit, limit)
        self.response = Capture(limit, limit)
        self.attempts: list[Attempt] = []

    @property
    def id_text(self) -> str:
        """The call's id as agents see it."""
        return call_id_text(self.id)

    # Overhead is the call's duration less the time spent waiting for somebody else; a stream's flow counts as waiting.

    def waits(self) -> None:
        """From here on the call waits for the agent's or a model's bytes."""
        if not self._marked:
            self._marked = time.perf_counter_ns()

    def resumes(self) -> None:
        """The awaited bytes are here."""
        if self._marked:
            self._waiting += time.perf_counter_ns() - self._marked
            self._marked = 0

    def overhead_ns(self) -> int:
        """Nanoseconds so far that were ours."""
        return max(0, time.perf_counter_ns() - self.started - self._waiting)

    # Attempts

    def tries(self, route: Route, target: str) -> None:
        """A request leaves for some target: from here on the call waits for it."""
        self._attempt_started = now = time.perf_counter_ns()
        self._marked = self._marked or now
        self._pending = (route, target)

    def tried(self, route: Route, target: str, status: int, cause: str = "") -> None:
        """An attempt ended, and the waiting with it; with an empty cause it is the one that answers the agent."""
        now = time.perf_counter_ns()
        if self._marked:
            self._waiting += now - self._marked
            self._marked = 0
        self.attempts.append(Attempt(route, target, status, cause, (now - self._attempt_started) // 1000))
        self._pending = None

    def answers(self, route: Route, target: str, understudy: str = "") -> None:
        """The named target's bytes are the ones the agent gets."""
        self.route = route
        self.target = target
        self.understudy = understudy

    def broke(self, cause: str) -> None:
        """The answering attempt failed after its head had been relayed."""
        if self.attempts:
            last = self.attempts[-1]
            self.attempts[-1] = Attempt(last.route, last.target, last.status, cause, last.duration_us)

    def abandoned(self) -> None:
        """The agent left; the attempt that was under way, or whose answer was, ended with it."""
        if self._pending is not None:
            self.tried(*self._pending, 0, "client_left")
        elif self.attempts and not self.attempts[-1].cause:
            self.broke("client_left")

    def mark_first_byte(self) -> None:
        if self.first_byte < 0:
            self.first_byte = time.perf_counter_ns() - self.started

    def record(self) -> Record:
        """Everything known now, as the journal keeps it."""
        self.resumes()
        decision = self.decision or _UNDECIDED
        content = self.store_content
        return Record(
            id=self.id,
            started_us=self.started_us,
            duration_us=(time.perf_counter_ns() - self.started) // 1000,
            first_byte_us=self.first_byte // 1000 if self.first_byte >= 0 else -1,
            overhead_us=self.overhead_ns() // 1000,
            endpoint=self.endpoint,
            method=self.method,
            path=self.path,
            status=self.status,
            stream=self.stream,
            route=self.route,
            target=self.target,
            requested_model=self.requested_model,
            served_model=self.served_model,
            understudy=self.understudy,
            task=decision.task,
            rule=decision.rule,
            reason=decision.reason,
            confidence=self.confidence,
            fallback=self.fallback,
            key=self.key,
            session=self.headers.session,
            config=self.config,
            upstream_request_id=self.upstream_request_id,
            request_type=self.headers.content_type,
            response_type=self.response_type,
            response_encoding=self.response_encoding,
            request=self.request.bytes() if content else None,
            response=self.response.bytes() if content else None,
            request_size=self.request.size,
            response_size=self.response.size,
            attempts=tuple(self.attempts),
            usage_response=self.usage_response,
            user_agent=self.headers.user_agent,
        )
