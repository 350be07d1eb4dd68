"""What happens to agents when the processes that learn die: nothing."""

from __future__ import annotations

import asyncio
import time

import pytest

from cli.context import key_file
from config.load import load
from serving.gatekeeper_status import read_status
from serving.publication import HEADS
from store.database import open_engine
from store.deployments import DeploymentRow, Deployments
from tests.chaos.load import agents
from tests.chaos.stage import UPSTREAM_KEY, Stage, eventually

pytestmark = pytest.mark.chaos

TASK = "support/label"


def deploy(stage: Stage) -> None:
    """An understudy stands in the database whose files are not there: no engine will ever serve it."""
    configuration = load(stage.config, {"STAGE_UPSTREAM_KEY": UPSTREAM_KEY})
    assert key_file(configuration).exists()
    engine = open_engine(configuration.settings.store.url)
    row = DeploymentRow(
        f"{TASK}@1", TASK, "label", HEADS, f"{TASK}@1", "/nowhere", "live", created=time.time_ns()
    )
    Deployments(engine).create(row)
    engine.dispose()


async def test_processes_that_learn_die_and_come_back(stage: Stage, seed: int) -> None:
    stage.start()
    async with agents(stage.url, seed=seed) as load:
        await load.more(10)
        gatekeeper = await asyncio.to_thread(
            eventually, lambda: read_status(stage.state / "learned"), "a word of the gatekeeper"
        )
        assert not stage.pids("cli.heads")
        await asyncio.to_thread(deploy, stage)
        killed = await asyncio.to_thread(stage.kill, "cli.heads", min)
        again = await asyncio.to_thread(
            eventually, lambda: set(stage.pids("cli.heads")) - {killed}, "another head server"
        )
        assert len(again) == 1
        killed = await asyncio.to_thread(stage.kill, "cli.gatekeeping", min)
        assert killed == gatekeeper.pid
        await asyncio.to_thread(
            eventually,
            lambda: (told := read_status(stage.state / "learned")) and told.pid != killed,
            "a word of another gatekeeper",
        )
        assert stage.stats()["learned"]["deployments"] == {"live": 1}
        await load.more(10)
        assert not load.failed
    await asyncio.to_thread(stage.await_shipped)
    assert await asyncio.to_thread(stage.stop) == 0
    assert load.ids <= set(stage.stored())
    assert "killed" not in stage.said().partition("stopping")[2]


async def test_without_learning_there_are_no_such_processes(stage: Stage, seed: int) -> None:
    stage.write("learning: {enabled: false}")
    stage.start()
    async with agents(stage.url, count=2, seed=seed) as load:
        await load.more(5)
        assert not stage.pids("cli.heads")
        assert not stage.pids("cli.gatekeeping")
        assert not load.failed
    assert await asyncio.to_thread(stage.stop) == 0
