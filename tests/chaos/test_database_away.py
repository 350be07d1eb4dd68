"""The database away under load, and away at the start: agents do not notice, `/stats` says so, nothing is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.chaos.load import DEADLINE, Load, agents
from tests.chaos.postgres import Postgres, postgres
from tests.chaos.stage import FULL, Stage, eventually

pytestmark = pytest.mark.chaos

AWAY_SECONDS: Final = 300.0 if FULL else 4.0


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A PostgreSQL server of the test's own."""
    with postgres() as running:
        yield running


@pytest.fixture
def on_postgres(tmp_path: Path, upstream_url: str, server: Postgres) -> Iterator[Stage]:
    """A deployment on PostgreSQL that has not been started."""
    prepared = Stage(tmp_path, upstream_url, store=server.url)
    yield prepared
    prepared.end()


async def stats_when(stage: Stage, seconds: float, **lag: Any) -> dict[str, Any]:
    """The first statistics whose lag is so, and whose oldest waiting record is at least so old."""

    def found() -> dict[str, Any] | None:
        report = stage.stats()
        waiting = report["lag"]
        old_enough = (waiting["oldest_seconds"] or 0.0) >= seconds
        return report if old_enough and lag.items() <= waiting.items() else None

    return await asyncio.to_thread(eventually, found, f"a lag of {lag}", seconds=seconds + DEADLINE)


def shown(ids: list[uuid.UUID | bytes]) -> set[str]:
    return {str(uuid.UUID(bytes=bytes(each))) for each in ids if isinstance(each, bytes | memoryview)}


def report(load: Load, lost: set[str], what: str) -> None:
    print(
        f"\n{what}: seed {load.seed}, {len(load.whole)} calls, failed {load.failed.total()}, lost {len(lost)}"
    )


@pytest.mark.postgres
async def test_postgres_goes_and_comes_back(
    on_postgres: Stage, server: Postgres, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = on_postgres
    stage.start()
    async with agents(stage.url, seed=seed) as load:
        await load.more(40)
        await asyncio.to_thread(server.take_away)
        away = await stats_when(stage, AWAY_SECONDS, away=True)
        assert away["database"]["status"] == "away"
        assert away["calls"] is None
        assert away["lag"]["bytes"] > 0
        await asyncio.to_thread(server.bring_back)
        await stats_when(stage, 0.0, away=False)
        await load.more(40)
    await asyncio.to_thread(stage.await_shipped)

    assert stage.stop() == 0
    stored = server.column("SELECT id FROM calls")
    lost = load.ids - shown(stored)
    with capsys.disabled():
        report(load, lost, f"PostgreSQL away for {AWAY_SECONDS:.0f} s")
    assert not load.failed
    assert not lost
    assert len(stored) == len(load.ids)


@pytest.mark.postgres
async def test_postgres_away_at_the_start(on_postgres: Stage, server: Postgres, seed: int) -> None:
    stage = on_postgres
    server.take_away()
    stage.start()
    async with agents(stage.url, count=2, seed=seed) as load:
        await load.more(5)
        away = await stats_when(stage, 0.1, away=True)
        assert away["database"]["status"] == "away"
        assert "the database is away, records wait in the journal" in stage.said()
        await asyncio.to_thread(server.bring_back)
        await stats_when(stage, 0.0, away=False)
    await asyncio.to_thread(stage.await_shipped)

    assert stage.stop() == 0
    assert not load.failed
    assert load.ids <= shown(server.column("SELECT id FROM calls"))


@pytest.mark.skipif(not FULL, reason="the shipper waits ten seconds for a lock; make chaos runs it")
async def test_sqlite_locked(stage: Stage, seed: int) -> None:
    """Another program holds the write lock for longer than the shipper waits for it."""
    stage.start()
    async with agents(stage.url, seed=seed) as load:
        await load.more(20)
        other = sqlite3.connect(stage.folder / "understudy.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        locked = await stats_when(stage, 1.0, away=True)
        assert "locked" in locked["lag"]["last_error"]
        other.execute("ROLLBACK")
        other.close()
        await stats_when(stage, 0.0, away=False)
    await asyncio.to_thread(stage.await_shipped)

    assert stage.stop() == 0
    assert not load.failed
    assert load.ids <= set(stage.stored())


async def test_sqlite_unusable_at_the_start(stage: Stage, seed: int) -> None:
    """A folder stands where the file should be, as after a mount gone wrong."""
    database = stage.folder / "understudy.db"
    database.mkdir()
    stage.start()
    async with agents(stage.url, count=2, seed=seed) as load:
        await load.more(5)
        away = await stats_when(stage, 0.1, away=True)
        assert away["database"]["status"] == "away"
        database.rmdir()
        await stats_when(stage, 0.0, away=False)
    await asyncio.to_thread(stage.await_shipped)

    assert stage.stop() == 0
    assert not load.failed
    assert load.ids <= set(stage.stored())
