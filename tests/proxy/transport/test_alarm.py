"""The deadline that moves for free: it rings once, at the last deadline set, or never."""

from __future__ import annotations

import asyncio

import pytest

from proxy.transport.alarm import Alarm


class Bell:
    """Notes when it rang."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.rang_at: list[float] = []
        self.rung = asyncio.Event()

    def ring(self) -> None:
        self.rang_at.append(self.loop.time())
        self.rung.set()


@pytest.mark.parametrize(
    "deadlines", [[0.05], [0.02, 0.1], [0.1, 0.02], [60.0, 0.05], [0.02, None, 0.08], [60.0, None, 0.05]]
)
async def test_it_rings_once_and_not_before_the_last_deadline(deadlines: list[float | None]) -> None:
    bell = Bell()
    alarm = Alarm(bell.loop, bell.ring)
    for seconds in deadlines:
        alarm.set(seconds)
    start = bell.loop.time()
    await asyncio.wait_for(bell.rung.wait(), 20)
    assert deadlines[-1] is not None
    assert len(bell.rang_at) == 1
    assert bell.rang_at[0] >= start + deadlines[-1] - 0.01  # uvloop counts whole milliseconds
    alarm.cancel()


@pytest.mark.parametrize("cancelled", [True, False])
async def test_it_keeps_quiet_when_nothing_is_due(cancelled: bool) -> None:
    bell, witness = Bell(), Bell()
    alarm = Alarm(bell.loop, bell.ring)
    alarm.set(0.01)
    if cancelled:
        alarm.cancel()
    else:
        alarm.set(None)
    witness.loop.call_later(0.1, witness.ring)
    await asyncio.wait_for(witness.rung.wait(), 20)
    assert bell.rang_at == []


async def test_it_can_be_set_again_after_it_rang() -> None:
    bell = Bell()
    alarm = Alarm(bell.loop, bell.ring)
    for count in (1, 2):
        bell.rung.clear()
        alarm.set(0.01)
        await asyncio.wait_for(bell.rung.wait(), 20)
        assert len(bell.rang_at) == count
