"""`kill -9` of workers and of the shipper under load: what an agent received whole is in the database, once."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Final

import pytest

from tests.chaos.load import agents
from tests.chaos.stage import FULL, Stage, eventually

pytestmark = pytest.mark.chaos

ROUNDS: Final = int(os.environ.get("UNDERSTUDY_CHAOS_ROUNDS") or (50 if FULL else 2))
AT_WORK: Final = 0.8
"""Share of the kills that wait until the victim is at work; the others may strike while it starts."""


async def test_whole_responses_survive_kills(
    stage: Stage, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(seed)
    stage.write(workers=2)
    stage.start()
    async with agents(stage.url, seed=seed) as load:
        for _ in range(ROUNDS):
            victims = ["cli.worker", "cli.shipping"]
            rng.shuffle(victims)
            for module in victims:
                if rng.random() < AT_WORK:
                    await asyncio.to_thread(eventually, lambda: stage.at_work(module), f"{module} at work")  # noqa: B023  called now
                await load.more(rng.randrange(1, 60))
                stage.kill(module, rng.choice)
        await load.more(20)
    assert stage.stop() == 0

    stored = stage.stored()
    stage.start()
    stage.await_shipped()
    counted = stage.stats()["calls"]
    lost, doubled = (
        load.ids - set(stage.stored()),
        len(stored) - len(set(stored)) + counted - len(stage.stored()),
    )
    with capsys.disabled():
        print(
            f"\nkill -9: seed {seed}, {ROUNDS} rounds, {2 * ROUNDS} kills, {len(load.whole)} whole responses, "
            f"{load.failed.total()} broken off, lost {len(lost)}, doubled {doubled}"
        )
    assert not lost
    assert doubled == 0
