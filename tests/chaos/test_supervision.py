"""What happens to a server's processes: parents killed, signals under load, two servers on one folder."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.chaos.load import agents
from tests.chaos.stage import DEADLINE, Stage, eventually

pytestmark = pytest.mark.chaos

REFUSED = {"ClientConnectorError", "ServerDisconnectedError", "ClientOSError", "ConnectionResetError"}
"""What agents see of a server that takes no more calls; an answer that breaks off looks different."""


def broken_off(failed: Counter[str]) -> set[str]:
    return set(failed) - REFUSED


async def test_children_of_a_killed_parent_stop_by_themselves(stage: Stage, seed: int) -> None:
    stage.write(workers=2)
    stage.start()
    async with agents(stage.url, seed=seed) as load:
        await load.more(40)
        children = psutil.Process(stage.process.pid).children()
        stage.process.kill()
        stage.process.wait()
        _, alive = await asyncio.to_thread(psutil.wait_procs, children, timeout=DEADLINE)
        assert not alive
    assert not broken_off(load.failed)

    stage.start()
    await asyncio.to_thread(stage.await_shipped)
    assert stage.stop() == 0
    assert load.ids <= set(stage.stored())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_under_load(stage: Stage, seed: int, number: signal.Signals) -> None:
    """Streams are finished, everything is shipped, and the exit code is 0."""
    stage.start()
    async with agents(stage.url, seed=seed) as load:
        await load.more(40)
        assert await asyncio.to_thread(stage.stop, number) == 0
    assert not broken_off(load.failed)
    assert load.ids <= set(stage.stored())


async def test_an_interrupt_in_the_terminal(stage: Stage, seed: int) -> None:
    """The whole process group gets the signal; the children go on until their parent stops them in order."""
    stage.start(terminal=True)
    async with agents(stage.url, seed=seed) as load:
        await load.more(40)
        os.killpg(stage.process.pid, signal.SIGINT)
        assert await asyncio.to_thread(stage.process.wait, DEADLINE) == 0
    assert not broken_off(load.failed)
    assert load.ids <= set(stage.stored())


def test_a_signal_before_the_workers_are_up(stage: Stage) -> None:
    stage.start()
    assert stage.stop() == 0
    assert "killed" not in stage.said()


async def test_two_servers_on_one_state_folder(
    stage: Stage, seed: int, tmp_path: Path, upstream_url: str
) -> None:
    """Both serve; one shipper works for both, and the other takes its place when it ends."""
    stage.start()
    async with agents(stage.url, count=2, seed=seed) as load:
        await load.more(5)
        second = Stage(tmp_path, upstream_url, log="second.log")
        try:
            second.start()
            async with agents(second.url, count=2, seed=seed + 1) as other:
                await other.more(5)
                await asyncio.to_thread(
                    eventually, lambda: "another shipper" in second.said(), "a word of it"
                )
                assert len(second.stats()["config"]["workers"]) == 2
                assert await asyncio.to_thread(stage.stop) == 0
                await other.more(5)
            await asyncio.to_thread(second.await_shipped)
            assert await asyncio.to_thread(second.stop) == 0
        finally:
            second.end()
    assert not other.failed
    assert load.ids | other.ids <= set(second.stored())
