"""Killed in the middle of its work: every call compared once, every pair counted once; on both databases."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.gatekeeper.stage import NAME, Stage, gatekeeper, staged
from tests.postgres import postgres_server

pytestmark = pytest.mark.timeout(600)

_CALLS = 150


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with postgres_server() as server:
        yield server.get_uri()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    url = f"sqlite:///{tmp_path}/understudy.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres")
    with staged(tmp_path, url, learning={"shadow_pairs": 1000}) as stage:
        yield stage


def test_kill_and_restart_double_and_lose_nothing(either: Stage) -> None:
    either.deploy(state="shadow")
    either.understudy.wrong = 0.02
    either.work(_CALLS)
    for compared in (1, 40):
        with gatekeeper(either) as running:
            either.eventually(partial(_has_pairs, either, compared), "some pairs")
            running.kill()
    with gatekeeper(either):
        either.settle()
    pairs = either.deployments.pairs(NAME, 1000)
    assert len(pairs) == _CALLS
    assert set(Counter(pair.call_id for pair in pairs).values()) == {1}
    row = either.deployments.get(NAME)
    assert row is not None
    evidence = json.loads(row.evidence)
    counted = evidence["certification"]
    assert counted["agreed"] == sum(pair.agreed is True for pair in pairs)
    assert counted["disagreed"] == sum(pair.agreed is False for pair in pairs)
    assert evidence["health"]["schema"]["pairs"] == _CALLS
    assert not either.deployments.waiting()


def _has_pairs(stage: Stage, many: int) -> bool:
    return len(stage.deployments.pairs(NAME, 1000)) >= many


def test_the_next_process_takes_over_when_one_is_gone(stage: Stage) -> None:
    stage.deploy(state="shadow")
    with gatekeeper(stage) as first:
        stage.eventually(lambda: stage.status().leads, "the first one leads")
        with gatekeeper(stage):
            stage.work(10)
            stage.settle()
            first.process.terminate()  # it gives its lease back
            first.process.wait(20)
            stage.work(10)
            stage.settle()
    assert len(stage.deployments.pairs(NAME)) == 20
    asked = Counter(one.body for one in stage.small.seen)
    assert set(asked.values()) == {1}
