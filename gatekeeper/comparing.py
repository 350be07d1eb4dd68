"""Comparing: trials are made as room, budget and servers allow, and what they tell is written down in their order."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Final

from config.load import Configuration
from config.settings import Timeouts
from gatekeeper.budget import Budget, Spent
from gatekeeper.ledger import Ledger
from gatekeeper.pool import Pool
from gatekeeper.standing import ANSWERING, Standing
from gatekeeper.targets import Target, engine_targets, upstream_target
from gatekeeper.trier import Outcome, Told, Trier
from gatekeeper.waiting import Waiting
from store.cursors import Cursors
from store.deployments import AT_WORK, Deployments, Source, TrialRow

_SPENT: Final = "gatekeeper/spent"


class Comparing:
    """Makes trials, under the lease; `begin` goes on where this or another process left off."""

    def __init__(
        self,
        configuration: Configuration,
        heads: str,
        deployments: Deployments,
        cursors: Cursors,
        trier: Trier,
        waiting: Waiting,
        budget: Budget,
    ) -> None:
        self.spent = Spent()
        self.pairs = 0
        """Compared since the start."""
        self.unusable: Counter[str] = Counter()
        """Calls that could not be compared, by reason."""
        self._configuration = configuration
        self._engines = engine_targets(configuration, heads)
        self._deployments = deployments
        self._ledger = Ledger(deployments)
        self._cursors = cursors
        self._trier = trier
        self._waiting = waiting
        self._budget = budget
        self._audits = Pool("audit")
        self._shadows: dict[str, Pool] = {}
        """By engine."""
        self._unwritten: list[Outcome] = []
        self._held: dict[str, str] = {}
        """Calls whose audit waits for an upstream."""

    def begin(self, now: float) -> None:
        """Read what today has cost; `now` is Unix seconds. Raises DatabaseAway."""
        self.spent = Spent.decode(self._cursors.get(_SPENT)).at(now)

    async def settle(self, standings: Sequence[Standing], now: float) -> bool:
        """Write down what trials have told; returns whether there was anything. Raises StoreError."""
        self.spent = self.spent.at(now)
        for pool in self._pools():
            self._unwritten += pool.harvest()
        if not self._unwritten:
            return False
        await asyncio.to_thread(self._write, self._unwritten, standings)
        self._unwritten = []
        return True

    async def start_trials(self, standings: Sequence[Standing]) -> bool:
        """Begin as many trials as there are room, requests and servers for; returns whether any. Raises StoreError."""
        begun = await self._start(self._audits, standings, standings)
        for engine in dict.fromkeys(each.row.engine for each in standings):
            pool = self._shadows.setdefault(engine, Pool("shadow"))
            asked = [each for each in standings if each.row.engine == engine]
            begun |= await self._start(pool, asked, standings)
        return begun

    async def some_end(self, seconds: float) -> None:
        """Wait until a trial has ended that can be written down, for so long at most."""
        pending = [pool.pending() for pool in self._pools() if len(pool)]
        if all(pending):
            tasks = [task for each in pending for task in each]
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    @property
    def under_way(self) -> int:
        """Trials that were begun and are not written down."""
        return sum(len(pool) for pool in self._pools())

    async def close(self) -> None:
        """Abandon what is under way; whoever goes on begins it anew."""
        self._unwritten = []
        for pool in self._pools():
            await pool.abandon()

    def _pools(self) -> Sequence[Pool]:
        return (self._audits, *self._shadows.values())

    def _write(self, outcomes: Sequence[Outcome], standings: Sequence[Standing]) -> None:
        """Trials that wait for a server stay in the database."""
        current = {each.row.understudy: each for each in standings}
        touched: dict[str, Standing] = {}
        done: list[TrialRow] = []
        spent = self.spent
        for outcome in outcomes:
            spent = spent.plus(outcome.requests, outcome.cost)
            if self._waits(outcome):
                continue
            done.append(outcome.trial)
            for told in outcome.told:
                if told.understudy in current:
                    touched[told.understudy] = current[told.understudy] = _after(
                        current[told.understudy], told
                    )
        self._ledger.write(touched, standings, done=done, cursors={_SPENT: spent.encode()})
        self.spent = spent
        self.pairs += sum(len(outcome.told) for outcome in outcomes)
        self.unusable.update(outcome.dropped for outcome in outcomes if outcome.dropped)

    def _waits(self, outcome: Outcome) -> bool:
        call = outcome.trial.call_id
        if outcome.fault is not None:
            self._waiting.failed(outcome.asked, outcome.fault, outcome.status, outcome.wait)
            self._held[call] = outcome.asked
            return True
        if outcome.asked:
            self._waiting.answered(outcome.asked)
        self._held.pop(call, None)
        return False

    async def _start(self, pool: Pool, asked: Sequence[Standing], standings: Sequence[Standing]) -> bool:
        room = min(pool.room, self._budget.left(self.spent) - self.under_way)
        if room <= 0 or (pool.source == "audit" and not self._budget.affords_upstream(self.spent)):
            return False
        able = {each.row.understudy: each for each in asked if self._askable(each, pool.source)}
        if not able:
            return False
        limit = room + len(pool) + len(self._held)
        trials = await asyncio.to_thread(self._deployments.trials, list(able), pool.source, limit)
        begun = 0
        for trial in trials:
            if begun < room and not self._waiting.blocks(self._held.get(trial.call_id, "")):
                begun += self._begin(pool, trial, able[trial.understudy], standings)
        return begun > 0

    def _askable(self, standing: Standing, source: Source) -> bool:
        if source == "audit":
            return standing.state in ANSWERING
        return standing.state in AT_WORK and not self._waiting.blocks(standing.row.engine)

    def _begin(self, pool: Pool, trial: TrialRow, standing: Standing, standings: Sequence[Standing]) -> bool:
        if pool.source == "shadow":
            return pool.begin(trial, lambda: self._trier.shadow(trial, standing, self._engine(standing)))
        challengers = [
            (each, self._engine(each))
            for each in standings
            if each.row.task == standing.row.task and each.state == "shadow"
        ]
        return pool.begin(trial, lambda: self._trier.audit(trial, standing, self._upstream, challengers))

    def _engine(self, standing: Standing) -> Target:
        name = standing.row.engine
        return self._engines.get(name) or Target(name, (), Timeouts())

    def _upstream(self, model: str) -> Target:
        return upstream_target(self._configuration, model)


def _after(standing: Standing, told: Told) -> Standing:
    """An understudy's standing after what a trial told of it."""
    judged = standing.with_pair(told.pair)
    known = judged.known.after_health(judged.policy, **told.health)
    if told.repeat is not None:
        known = known.after_repeat(told.repeat, judged.policy)
    return dataclasses.replace(judged, known=known)
