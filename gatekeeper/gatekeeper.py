"""The loop: what arrived is taken in, compared and written down; what is deployed is published and placed."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import httpx2

from gatekeeper.asking import Asker
from gatekeeper.budget import Budget
from gatekeeper.comparing import Comparing
from gatekeeper.placement import wanted
from gatekeeper.policies import policy_for
from gatekeeper.publisher import Publisher
from gatekeeper.reception import Reception
from gatekeeper.standing import Standing
from gatekeeper.surroundings import Surroundings
from gatekeeper.trier import Trier
from gatekeeper.waiting import Waiting
from serving.gatekeeper_status import GatekeeperStatus, write_status
from serving.publication import PublicationError
from store.arrivals import Arrivals
from store.calls import Calls
from store.cursors import Cursors
from store.deployments import DeploymentRow, Deployments, PairRow
from store.duties import describe
from store.errors import DatabaseAway, Outdated, StoreError
from store.keyring import DIGEST, Sealer
from store.leases import Leases
from store.pair_answers import PairAnswers
from store.prices import NANO
from store.routers import CurrentRouter, Routers
from wire.check import AnswerChecker

log = logging.getLogger("understudy.gatekeeper")

_LEASE: Final = "gatekeeper"
_LEASE_SECONDS: Final = 15.0
_RENEWED_AFTER: Final = 4.0
_IDLE_SECONDS: Final = 0.3
_AWAY_SECONDS: Final = 1.0
_FAULT_SECONDS: Final = 5.0
_PLACED_EVERY: Final = 2.0
_TOLD_EVERY: Final = 1.0
_SWEPT_EVERY: Final = 60.0
_OLDEST_TRIAL: Final = 86_400.0
"""Seconds that a trial may wait: what was to be compared yesterday says little of today."""
_ALL_PAIRS: Final = 100_000


class Gatekeeper:
    """Works under one configuration until stopped; another one takes another gatekeeper, with the same `holder`."""

    def __init__(self, surroundings: Surroundings, client: httpx2.AsyncClient, holder: str) -> None:
        engine, ring = surroundings.engine, surroundings.ring
        settings = surroundings.configuration.settings
        sealer, digest_key = Sealer(ring), ring.active.derive(DIGEST)
        calls, cursors = Calls(engine, sealer, digest_key), Cursors(engine)
        self._budget = Budget(settings.learning.shadow_requests, settings.learning.shadow_dollars)
        self._surroundings = surroundings
        self._settings = settings
        self._holder = holder
        self._deployments = Deployments(engine)
        self._routers = Routers(engine)
        self._leases = Leases(engine)
        self._waiting = Waiting()
        self._publisher = Publisher(surroundings.configuration.published, ring)
        self._reception = Reception(
            surroundings.configuration, Arrivals(engine), cursors, calls, self._deployments, self._budget
        )
        trier = Trier(
            calls,
            self._deployments,
            Asker(client),
            AnswerChecker(),
            PairAnswers(sealer),
            surroundings.prices,
            digest_key,
            surroundings.likeness,
        )
        self._comparing = Comparing(
            surroundings.configuration,
            surroundings.heads,
            self._deployments,
            cursors,
            trier,
            self._waiting,
            self._budget,
        )
        self._leads = False
        self._renewed = 0.0
        self._sweep_at = 0.0
        self._queued = 0
        self._faults = 0
        self._database_error = ""
        self._misplaced: dict[str, str] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; nothing that is away, refused or broken ends it."""
        beside = [
            asyncio.create_task(self._every(seconds, duty))
            for seconds, duty in (
                (_PLACED_EVERY, self._place),
                (_TOLD_EVERY, self._tell),
                (_TOLD_EVERY, self._sweep),
            )
        ]
        try:
            while not stop.is_set():
                pause = await self._guarded(self._round)
                if pause:
                    await _until(stop, pause)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await self._comparing.close()
            await self._guarded(self._resign)

    async def _round(self) -> float:
        """One look at everything; returns how long there is nothing to do."""
        rows, router = await asyncio.to_thread(self._read)
        await asyncio.to_thread(self._publisher.publish, rows, router)
        if self._database_error:
            log.info("the database is back")
            self._database_error = ""
        if not await self._leading():
            return _IDLE_SECONDS
        standings = await asyncio.to_thread(self._standings, rows)
        if await self._comparing.settle(standings, time.time()):
            return 0.0
        if await asyncio.to_thread(self._reception.take, standings, self._comparing.spent):
            return 0.0
        if await self._comparing.start_trials(standings):
            return 0.0
        if self._comparing.under_way:
            await self._comparing.some_end(_IDLE_SECONDS)
            return 0.0
        return _IDLE_SECONDS

    async def _guarded(self, work: Callable[[], Awaitable[float | None]]) -> float:
        """Run a piece of work; what goes wrong is told, counted, and answered with a pause."""
        try:
            return await work() or 0.0
        except Outdated as error:
            log.info("%s; it is read again", error)
            return 0.0
        except DatabaseAway as error:
            if not self._database_error:
                log.error("the database is away, what is published stays in force: %s", error)
            self._database_error = str(error)
            self._leads = False
            return _AWAY_SECONDS
        except (StoreError, PublicationError) as error:
            self._faults += 1
            log.error("%s", error)
        except Exception as error:
            self._faults += 1
            log.exception("a fault of the gatekeeper: %s", describe(error))
        return _FAULT_SECONDS

    def _read(self) -> tuple[Sequence[DeploymentRow], CurrentRouter | None]:
        return self._deployments.list(), self._routers.current()

    def _standings(self, rows: Sequence[DeploymentRow]) -> list[Standing]:
        return [self._standing(row) for row in rows if row.state != "demoted"]

    def _standing(self, row: DeploymentRow) -> Standing:
        def stored_pairs() -> Sequence[PairRow]:
            return self._deployments.pairs(row.understudy, _ALL_PAIRS)[::-1]

        return Standing.of(row, policy_for(self._settings, row.task), stored_pairs)

    async def _leading(self) -> bool:
        """Whether this process is the one that compares; takes the lease when nobody has it."""
        if self._leads and time.monotonic() - self._renewed < _RENEWED_AFTER:
            return True
        now = time.time()
        until = int((now + _LEASE_SECONDS) * 1e6)
        leads = await asyncio.to_thread(self._leases.take, _LEASE, self._holder, int(now * 1e6), until)
        self._renewed = time.monotonic()
        if leads and not self._leads:
            log.info("this process compares understudies with the LLM")
            await self._comparing.close()
            self._reception.begin()
            self._comparing.begin(now)
        elif self._leads and not leads:
            log.warning("another process compares understudies now")
            await self._comparing.close()
        self._leads = leads
        return leads

    async def _resign(self) -> None:
        if self._leads:
            await asyncio.to_thread(self._leases.give_up, _LEASE, self._holder)

    # Beside the loop

    async def _every(self, seconds: float, duty: Callable[[], Awaitable[float | None]]) -> None:
        while True:
            await self._guarded(duty)
            await asyncio.sleep(seconds)

    async def _place(self) -> None:
        """Have engines load what their understudies need."""
        if not self._surroundings.placements:
            return
        rows = await asyncio.to_thread(self._deployments.list, None, True)
        misplaced: dict[str, str] = {}
        for name, placement in self._surroundings.placements.items():
            placed = await asyncio.to_thread(placement.keep, wanted(name, rows))
            misplaced |= {model: f"on {server}: {why}" for (server, model), why in placed.failed.items()}
        self._misplaced = misplaced

    async def _sweep(self) -> None:
        if not self._leads or time.monotonic() < self._sweep_at:
            return
        self._sweep_at = time.monotonic() + _SWEPT_EVERY
        before = int((time.time() - _OLDEST_TRIAL) * 1e6)
        at_work = [row.understudy for row in await asyncio.to_thread(self._deployments.list, None, True)]
        await asyncio.to_thread(self._deployments.drop_trials, before, at_work)
        await asyncio.to_thread(self._reception.forget)

    async def _tell(self) -> None:
        if self._leads:
            self._queued = sum((await asyncio.to_thread(self._deployments.waiting)).values())
        try:
            await asyncio.to_thread(write_status, self._surroundings.folder, self._status())
        except OSError as error:
            log.error("cannot write the gatekeeper's status: %s", error.strerror)

    def _status(self) -> GatekeeperStatus:
        comparing, reception = self._comparing, self._reception
        return GatekeeperStatus(
            pid=os.getpid(),
            updated=time.time(),
            leads=self._leads,
            compared=comparing.pairs,
            waiting=self._queued,
            requests_today=comparing.spent.requests,
            dollars_today=comparing.spent.cost / NANO,
            budget=self._budget.sentence(comparing.spent),
            servers=dict(self._waiting.told),
            notes=self._misplaced | reception.notes,
            unusable=dict(Counter(comparing.unusable) + Counter(reception.passed_over)),
            faults=self._faults,
            database_error=self._database_error,
        )


async def _until(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
