"""Trials under way: bounded, begun once, and handed over in the order of the calls."""

from __future__ import annotations

import asyncio

from gatekeeper.pool import WINDOW, Pool
from gatekeeper.trier import Outcome
from store.deployments import TrialRow
from store.errors import DatabaseAway


def _trial(number: int, understudy: str = "a@1") -> TrialRow:
    return TrialRow(understudy, f"{number:032x}", "shadow", number)


async def test_the_slow_one_keeps_those_behind_it_waiting() -> None:
    pool, slow = Pool("shadow"), asyncio.Event()

    async def work(trial: TrialRow, until: asyncio.Event | None) -> Outcome:
        if until is not None:
            await until.wait()
        return Outcome(trial)

    first, second, other = _trial(1), _trial(2), _trial(3, "b@1")
    assert pool.begin(first, lambda: work(first, slow))
    assert not pool.begin(first, lambda: work(first, slow))
    pool.begin(second, lambda: work(second, None))
    pool.begin(other, lambda: work(other, None))
    assert len(pool.pending()) == 3
    assert [outcome.trial for outcome in await _harvested(pool, 1)] == [other]
    while len(pool.pending()) == 2:  # the second one ends, and waits for the first
        await asyncio.sleep(0)
    assert len(pool.pending()) == 1
    slow.set()
    assert [outcome.trial for outcome in await _harvested(pool, 2)] == [first, second]
    assert len(pool) == len(pool.pending()) == 0


async def _harvested(pool: Pool, many: int) -> list[Outcome]:
    found: list[Outcome] = []
    async with asyncio.timeout(10):
        while len(found) < many:
            await asyncio.sleep(0)
            found += pool.harvest()
    return found


async def test_only_so_many_are_begun() -> None:
    pool, never = Pool("audit"), asyncio.Event()

    async def wait(trial: TrialRow) -> Outcome:
        await never.wait()
        return Outcome(trial)

    for number in range(WINDOW):
        pool.begin(_trial(number), lambda number=number: wait(_trial(number)))  # type: ignore[misc]
    assert pool.room == 0
    await pool.abandon()
    assert pool.room == WINDOW


async def test_a_fault_drops_its_trial_and_a_database_that_is_away_does_not() -> None:
    pool = Pool("shadow")

    async def fail(error: Exception) -> Outcome:
        raise error

    pool.begin(_trial(1), lambda: fail(ValueError("odd")))
    pool.begin(_trial(2), lambda: fail(DatabaseAway("gone")))
    found = await _harvested(pool, 1)
    assert [outcome.dropped for outcome in found] == ["a fault of the gatekeeper (ValueError)"]
    assert len(pool) == 0
