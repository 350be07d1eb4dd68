"""The configuration edited under load: no call fails, every worker follows, and a broken edit changes nothing."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any, Final

import pytest

from tests.chaos.load import DEADLINE, Load, agents
from tests.chaos.stage import FULL, Stage, eventually

pytestmark = pytest.mark.chaos

EDITS: Final = 20 if FULL else 2
WORKERS: Final = 2


async def stats_when(stage: Stage, condition: Any, what: str) -> dict[str, Any]:
    """The first statistics of which the condition holds."""

    def found() -> dict[str, Any] | None:
        report = stage.stats()
        return report if condition(report["config"]) else None

    return await asyncio.to_thread(eventually, found, what)


async def answered_by(load: Load, rule: str) -> None:
    """Until responses to calls begun from now on, a good many of them, all came by this rule."""
    begun = asyncio.get_running_loop().time()
    async with asyncio.timeout(DEADLINE):
        while len(since := [each for each in load.whole if each.began >= begun]) < 20:
            await asyncio.sleep(0.002)
    assert {each.headers["x-understudy-rule"] for each in since} == {rule}


async def test_edits_take_effect_in_every_worker(
    stage: Stage, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.write(workers=WORKERS)
    stage.start()
    before = await stats_when(stage, lambda config: len(config["workers"]) == WORKERS, "both workers at work")
    version, waits = before["config"]["version"], []
    async with agents(stage.url, seed=seed) as load:
        for number in range(EDITS):
            await load.more(20)
            rule = f"edit {number}"
            stage.write(
                f"rules: [{{name: {rule}, when: {{model: gpt-4o-mini}}, route: upstream}}]", workers=WORKERS
            )
            edited = time.time()
            after = await stats_when(
                stage,
                lambda config: config["version"] not in (None, version),  # noqa: B023  called in this round
                "the new version in both workers",
            )
            version = after["config"]["version"]
            waits += [each["loaded"] - edited for each in after["config"]["workers"]]
            await answered_by(load, rule)
            assert load.whole[-1].headers["x-understudy-config"] == version
    assert stage.stop() == 0
    with capsys.disabled():
        print(
            f"\nedits: seed {seed}, {EDITS} edits, {len(load.whole)} calls, failed {load.failed.total()}; "
            f"in force in each of {WORKERS} workers after {min(waits):.2f} to {max(waits):.2f} s"
        )
    assert not load.failed
    assert load.ids <= set(stage.stored())


async def test_a_broken_edit_changes_nothing(stage: Stage, seed: int) -> None:
    """Not even for a worker that is started again while the file is broken."""
    stage.write(workers=WORKERS)
    stage.start()
    before = await stats_when(stage, lambda config: len(config["workers"]) == WORKERS, "both workers at work")
    version = before["config"]["version"]
    async with agents(stage.url, seed=seed) as load:
        await load.more(10)
        stage.write("rules: [{name: broken, route: nowhere}]", workers=WORKERS)
        after = await stats_when(stage, lambda config: config["error"], "the mistake in /stats")
        assert re.search(r"understudy\.yaml:6:\d+: .*nowhere", after["config"]["error"])
        assert after["config"]["version"] == version
        await load.more(20)
        assert not load.failed

        killed = stage.kill("cli.worker", min)
        pids = await stats_when(
            stage,
            lambda config: sum(each["pid"] != killed for each in config["workers"]) == WORKERS,
            "another worker in its place",
        )
        assert {each["version"] for each in pids["config"]["workers"]} == {version}
        await load.more(20)
    assert {each.headers["x-understudy-config"] for each in load.whole} == {version}
    assert re.search(r"stays in force; the file cannot be used:\n.*understudy\.yaml:6:\d+: ", stage.said())
    stage.write(workers=WORKERS)
    await stats_when(stage, lambda config: config["error"] is None, "the mistake being gone")
    assert stage.stop() == 0
