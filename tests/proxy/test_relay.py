"""What counts as overhead while bytes are relayed: our own time, not that of an agent that reads slowly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from proxy.agent import Agent
from proxy.agent_headers import AgentHeaders
from proxy.call import Call
from proxy.relay import Relay
from proxy.transport.base import Headers
from tests.proxy.transport.peer import until

STALL_NS = 100_000_000


class SlowWire:
    """An agent's connection that takes nothing more until it is told to; satisfies agent.Wire."""

    def __init__(self) -> None:
        self.written = b""
        self.full = asyncio.get_running_loop().create_future()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.create_task(work)

    def write(self, data: bytes) -> None:
        self.written += data

    def flush(self) -> asyncio.Future[None] | None:
        return None if self.full.done() else self.full

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def completed(self, agent: Agent) -> None: ...

    def cut(self) -> None: ...


class ThreePieces:
    """Satisfies transport.base.Response."""

    status = 200
    reason = b"OK"

    def __init__(self) -> None:
        self.headers: Headers = [(b"content-type", b"application/octet-stream")]

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in (b"one", b"two", b"three"):
            yield piece

    def whole(self) -> bytes | None:
        return None

    async def read(self) -> bytes:
        return b""

    async def aclose(self) -> None: ...


async def test_an_agent_that_reads_slowly_is_not_our_overhead() -> None:
    wire, headers = SlowWire(), AgentHeaders([])
    agent = Agent(
        wire, "POST", b"/v1/x", headers, length=None, has_body=False, http_1_0=False, keep_alive=True,
        body_seconds=20, expects_continue=False,
    )  # fmt: skip
    call = Call(method="POST", path="/v1/x", endpoint="other", headers=headers, config="", limit=1000)
    relaying = asyncio.create_task(Relay(call, agent, lambda call: None, None).run(ThreePieces(), b""))
    await until(lambda: b"one" in wire.written, "the first piece is sent")
    stalled = time.perf_counter_ns()
    await until(lambda: time.perf_counter_ns() - stalled > STALL_NS, "the agent has not read for a while")
    wire.full.set_result(None)
    await relaying
    assert wire.written.endswith(b"5\r\nthree\r\n0\r\n\r\n")
    record = call.record()
    assert record.duration_us * 1000 > STALL_NS > record.overhead_us * 1000
