"""HTTP/1.1 for the data path, on uvicorn's protocol.

Requests below `/v1/` become an Agent and go straight to the data path; everything else (control pages, websockets) goes
the ASGI way. Guards: request heads bounded in bytes and in time, idle connections closed. A head that came before on the
same connection is not parsed again.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from proxy.agent import Agent, Handler
from proxy.agent_headers import AgentHeaders
from proxy.familiar_head import FamiliarHead, familiar_head
from proxy.limits import Limits
from proxy.transport.base import Headers
from wire.errors import envelope

_PIPELINE: Final = 16
"""Requests waiting for their turn past which a connection is not read further: who does not read hears of no leaving."""

_PHRASES: Final = {
    400: "Bad Request",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
}


class DataProtocol(HttpToolsProtocol):
    """HTTP/1.1 for the data path; `handler` and `limits` are set by a subclass made for one application. Satisfies agent.Wire."""

    handler: Handler
    limits = Limits()
    cycle: Any  # uvicorn's own cycle or an Agent: both say whether their response is complete
    pipeline: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._head_arrived = 0
        self._in_head = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._active_at = 0.0
        self._refused = False
        self._agent: Agent | None = None
        self._unstarted: Agent | None = None
        self._serving: Agent | None = None
        self._known = AgentHeaders([])
        self._familiar: FamiliarHead | None = None
        self._at_rest = True
        self._length: int | None = None
        self._framed = False
        self._writable: asyncio.Future[None] | None = None

    # asyncio's side

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        super().connection_made(transport)
        self._active_at = self.loop.time()
        self._idle_timer = self.loop.call_later(self.limits.idle_seconds, self._close_if_idle)

    def data_received(self, data: bytes) -> None:
        if self._refused or self._is_familiar(data):
            return
        at_rest = self._at_rest
        if self._in_head:
            self._head_arrived += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(400, "Invalid HTTP request received.")
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._stop_timers()
                self.handle_websocket_upgrade()
            elif not self._refused:
                self._decline_upgrade(data[upgrade.args[0] :])
            return
        if self._unstarted is not None:
            if at_rest and self._at_rest:
                self._learn(data, self._unstarted)
            self._begin(self._unstarted)
        if self._in_head:
            self._guard_head()
        elif self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        if self._serving is not None:
            self._serving.lost()
        for waiting, app in self.pipeline:
            if app is None:
                waiting.lost()
                self._begin(waiting)
        self.pipeline.clear()
        if isinstance(self.cycle, Agent):
            self.connections.discard(self)
            self.flow.resume_writing()
            self.parser = None  # type: ignore[assignment]  # as uvicorn does
        else:
            super().connection_lost(exc)
        self.resume_writing()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # The parser's side

    def on_message_begin(self) -> None:
        self._at_rest = False
        self._head_bytes = 0
        self._head_arrived = 0
        self._in_head = True
        self._length = None
        self._framed = False
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: it must not pass for a header
        name = name.lower()
        self._head_bytes += len(name) + len(value)
        if name == b"content-length":
            self._length = int(value) if value.isdigit() else None
            self._framed = True
            return
        if name == b"transfer-encoding":
            self._framed = True
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._active_at = self.loop.time()
        if self._head_bytes > self.limits.header_bytes:
            self._refuse_head()
        elif self.parser.should_upgrade() and not self._should_upgrade():
            self._agent = None
            if self.parser.get_method() == b"CONNECT":
                self._refuse(405, "CONNECT is not served here.")
        elif self.url.startswith(b"/v1/") and not self.parser.should_upgrade():
            self._open_agent()
        else:
            self._agent = None
            self._hand_to_uvicorn()

    def on_body(self, body: bytes) -> None:
        if self._agent is not None:
            self._agent.feed(body)
        elif not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._agent is not None:
            self._at_rest = self._agent.keep_alive
            self._agent.complete()
            self._agent = None
        elif not self._refused and not (self.parser.should_upgrade() and not self._should_upgrade()):
            super().on_message_complete()

    def _decline_upgrade(self, rest: bytes) -> None:
        """Answer in HTTP/1.1 whatever other protocol was offered (RFC 9110, 7.8).

        The parser takes the request's body for the other protocol, so a fresh one reads it all without the offer."""
        lines = [b"%b %b HTTP/1.1\r\n" % (self.parser.get_method(), self.url)]
        lines += [b"%b: %b\r\n" % line for line in self.headers if line[0] != b"upgrade"]
        if self._length is not None:
            lines.append(b"content-length: %d\r\n" % self._length)
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"".join([*lines, b"\r\n", rest]))

    def _open_agent(self) -> None:
        headers: Headers = self.headers
        if not self._known.same(headers):
            self._known = AgentHeaders(headers)
        http_1_0 = self.parser.get_http_version() == "1.0"
        agent = Agent(
            self,
            self.parser.get_method().decode("ascii"),
            self.url,
            self._known,
            length=self._length,
            has_body=self._framed and self._length != 0,
            http_1_0=http_1_0,
            keep_alive=self.parser.should_keep_alive(),
            body_seconds=self.limits.body_seconds,
            expects_continue=self.expect_100_continue,
        )
        self._agent = agent
        if self._takes_turn(agent):
            self._unstarted = agent

    def _takes_turn(self, agent: Agent) -> bool:
        """Whether the request can be served at once; else it waits until those before it are answered."""
        if self.cycle is None or self.cycle.response_complete:
            self.cycle = agent
            return True
        self.pipeline.appendleft((agent, None))
        if len(self.pipeline) >= _PIPELINE:
            self.flow.pause_reading()
        return False

    def _is_familiar(self, data: bytes) -> bool:
        """Whether this was a request that needs no parser, and is being served."""
        head = self._familiar
        if head is None or not self._at_rest:
            return False
        body = head.body_of(data)
        if body is None:
            return False
        self._open_familiar(head, body)
        return True

    def _learn(self, data: bytes, agent: Agent) -> None:
        """Remember the head of a request that came whole and alone."""
        if agent.length is None or self._refused or self.expect_100_continue:
            self._familiar = None
        else:
            self._familiar = familiar_head(data, agent.method, agent.path, agent.headers, agent.length)

    def _open_familiar(self, head: FamiliarHead, body: bytes) -> None:
        """Serve a request without the parser, which stands between two messages and stays there."""
        self._active_at = self.loop.time()
        agent = Agent(
            self,
            head.method,
            head.path,
            head.headers,
            length=len(body),
            has_body=True,
            http_1_0=False,
            keep_alive=True,
            body_seconds=self.limits.body_seconds,
            expects_continue=False,
            body=body,
        )
        if self._takes_turn(agent):
            self._begin(agent)

    def _hand_to_uvicorn(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        if self._length is not None:
            self.headers.append((b"content-length", str(self._length).encode()))
        super().on_headers_complete()
        if len(self.pipeline) < _PIPELINE:
            self.flow.resume_reading()  # uvicorn reads no further here, and would not notice that the agent leaves

    # The agent's side

    def write(self, data: bytes) -> None:
        """See agent.Wire."""
        self.transport.write(data)

    def flush(self) -> asyncio.Future[None] | None:
        """See agent.Wire."""
        return self._writable

    def pause(self) -> None:
        """See agent.Wire."""
        self.flow.pause_reading()

    def resume(self) -> None:
        """See agent.Wire."""
        if self.flow.read_paused:
            self.flow.resume_reading()

    def completed(self, agent: Agent) -> None:
        """See agent.Wire."""
        if agent.keep_alive:
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        if agent.unread:
            self._linger()
        else:
            self.transport.close()

    def cut(self) -> None:
        """See agent.Wire."""
        self.transport.close()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._active_at = self.loop.time()
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self.cycle, app = self.pipeline.pop()
            if app is None:
                self._begin(self.cycle)
            else:
                self._start_asgi_task(self.cycle, app)

    def _begin(self, agent: Agent) -> None:
        self._unstarted = None
        self._serving = agent
        task: asyncio.Task[None] = self.loop.create_task(self.handler(agent))
        agent.begin(task)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # Guards

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg)

    def _guard_head(self) -> None:
        if self._refused:
            return
        if self._head_arrived > self.limits.header_bytes:
            self._refuse_head()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.header_seconds, self._head_too_slow)

    def _refuse_head(self) -> None:
        self._refuse(431, f"The request headers are larger than {self.limits.header_bytes // 1024} KiB.")

    def _head_too_slow(self) -> None:
        self._refuse(
            408, f"The request headers were not complete within {self.limits.header_seconds:g} seconds."
        )

    def _close_if_idle(self) -> None:
        busy = self._in_head or (self.cycle is not None and not self.cycle.response_complete)
        due = self._active_at + self.limits.idle_seconds
        if not busy and self.loop.time() >= due:
            self.transport.close()
            return
        wait = self.limits.idle_seconds if busy else due - self.loop.time()
        self._idle_timer = self.loop.call_later(wait, self._close_if_idle)

    def _stop_timers(self) -> None:
        for timer in (self._head_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._idle_timer = None
        self._unset_keepalive_if_required()

    def _refuse(self, status: int, message: str) -> None:
        """Hear no more. What was asked before is still answered; else the answer is this one, in the OpenAI shape."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        if self._agent is not None:
            self._agent.spoil()
        elif self.cycle is None or self.cycle.response_complete:
            body = envelope(message, type="invalid_request_error", code=f"http_{status}")
            head = (
                f"HTTP/1.1 {status} {_PHRASES[status]}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
            self._linger()
        else:
            last = self.pipeline[0][0] if self.pipeline else self.cycle
            last.keep_alive = False

    def _linger(self) -> None:
        """Close for writing and read on for a while: a peer that still sends would lose the answer to a reset."""
        self._refused = True
        if self.transport.is_closing():
            return
        self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(self.limits.linger_seconds, self.transport.close)
