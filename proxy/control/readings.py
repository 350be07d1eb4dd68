"""What the control pages know: the store's figures, and what is known without the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from proxy.breaker import BREAKER_STATES
from proxy.control.task_readings import TaskReadings
from proxy.workers import WorkerBoard, WorkerStatus
from serving.gatekeeper_status import read_status as read_gatekeeper
from store.calls import Call, Calls, CallSummary, Filters
from store.database import open_engine
from store.errors import DatabaseError
from store.feedback import Feedback
from store.keyring import DIGEST, KeyRing, Sealer
from store.lag import backlog, read_status
from store.search import Found, Search
from store.stats import GroupBy, Stats
from store.timeline import Timeline, TimelineReport
from store.totals import SeriesTotal, Totals
from store.window import Window

SEARCH_SECONDS = 0.7
"""Of looking into calls; who wants to look further goes on from there."""

ALIVE_SECONDS = 15.0
"""A shipper that has not reported for this long is counted as gone."""


class Readings:
    """Reads the database and the journal's folder of one deployment; every method may be called from any thread."""

    def __init__(
        self,
        store_url: str,
        ring: KeyRing,
        journal: Path,
        board: WorkerBoard,
        this_worker: Callable[[], WorkerStatus] | None = None,
        loads: Callable[[], Mapping[str, Mapping[str, Any]]] | None = None,
    ) -> None:
        self._engine = open_engine(store_url)
        self._journal = journal
        self._board = board
        self._this_worker = this_worker
        self._loads = loads
        self._stats = Stats(self._engine)
        self._timeline = Timeline(self._engine)
        self._totals = Totals(self._engine)
        self._calls = Calls(self._engine, Sealer(ring), ring.active.derive(DIGEST))
        self._search = Search(self._engine, Sealer(ring), self._calls)
        self.tasks = TaskReadings(self._engine, Sealer(ring), self._calls)
        self.feedback = Feedback(self._engine, Sealer(ring))

    def report(self, window: Window, by: GroupBy | None) -> dict[str, Any]:
        """Everything that `/stats` says. With the database away its figures are null and the rest still stands."""
        answer: dict[str, Any] = {"window": window, "by": by, "database": {"status": "ok", "error": None}}
        try:
            answer |= asdict(self._stats.read(window, by, int(time.time())))
        except DatabaseError as error:
            answer |= dict.fromkeys(_FIGURES)
            answer["database"] = {"status": "away", "error": str(error)}
        return answer | {
            "lag": self.lag(),
            "config": self.config(),
            "learned": self.learned(),
            "gatekeeper": self.gatekeeper(),
            "engines": self.engines(),
        }

    def timeline(self, window: Window) -> TimelineReport:
        """The figures over time; raises DatabaseAway."""
        return self._timeline.read(window, int(time.time()))

    def lag(self) -> dict[str, Any]:
        """How far the database is behind the journal, and what was lost or set aside on the way."""
        waiting = backlog(self._journal)
        status = read_status(self._journal)
        now = time.time()
        return {
            "bytes": waiting.bytes,
            "segments": waiting.segments,
            "oldest_seconds": None if waiting.oldest_us is None else max(0.0, now - waiting.oldest_us / 1e6),
            "shipper": "none" if status is None else _liveness(status.updated_us / 1e6, now),
            "away": status.away if status else False,
            "shipped": status.shipped if status else 0,
            "last_success": status.last_success_us / 1e6 if status and status.last_success_us else None,
            "last_error": (status.last_error or None) if status else None,
            "quarantined": status.quarantined if status else 0,
            "corrupt": status.corrupt if status else 0,
            "torn": status.torn if status else 0,
            "lost": self._board.lost_before() + sum(worker.journal_lost for worker in self.workers()),
        }

    def config(self) -> dict[str, Any]:
        """The configuration in force, by worker; `version` is null while the workers disagree."""
        workers = self.workers()
        versions = {worker.config for worker in workers}
        return {
            "version": versions.pop() if len(versions) == 1 else None,
            "loaded": max((worker.config_loaded for worker in workers), default=None),
            "error": next((worker.config_error for worker in workers if worker.config_error), None),
            "restart_needed": sorted({name for worker in workers for name in worker.restart_needed}),
            "workers": [
                {"pid": worker.pid, "version": worker.config, "loaded": worker.config_loaded}
                for worker in workers
            ],
        }

    def learned(self) -> dict[str, Any]:
        """What was learned and is in force; `version` and `router` are null while the workers disagree."""
        told = [worker.learned for worker in self.workers()]
        versions, routers = {each.version for each in told}, {each.router for each in told}
        return {
            "version": versions.pop() if len(versions) == 1 else None,
            "router": routers.pop() if len(routers) == 1 else None,
            "loaded": max((each.loaded for each in told if each.loaded), default=None),
            "error": next((each.error for each in told if each.error), None),
            "deployments": told[0].deployments if told else {},
        }

    def gatekeeper(self) -> dict[str, Any] | None:
        """What the process says that compares understudies with the LLM; None when it never said anything."""
        status = read_gatekeeper(self._journal.parent / "learned")
        if status is None:
            return None
        return msgspec.structs.asdict(status) | {"state": _liveness(status.updated, time.time())}

    def engines(self) -> dict[str, Any]:
        """The servers of each engine: requests in flight, the worst breaker, and how busy the server says it is."""
        servers: dict[str, dict[str, dict[str, Any]]] = {}
        for status in (server for worker in self.workers() for server in worker.engines):
            found = servers.setdefault(status.engine, {}).setdefault(
                status.url, {"url": status.url, "in_flight": 0, "breaker": "closed", "load": None}
            )
            found["in_flight"] += status.in_flight
            found["breaker"] = max(found["breaker"], status.breaker, key=BREAKER_STATES.index)
        loads = self._loads() if self._loads else {}
        for url, server in ((url, server) for each in servers.values() for url, server in each.items()):
            server["load"] = loads.get(url)
        return {engine: {"servers": list(each.values())} for engine, each in servers.items()}

    def workers(self) -> list[WorkerStatus]:
        """Every worker of this deployment; the one that answers speaks for itself."""
        own = self._this_worker() if self._this_worker else None
        others = [worker for worker in self._board.read() if own is None or worker.pid != own.pid]
        return sorted([*others, own] if own else others, key=lambda worker: worker.pid)

    def totals(self) -> list[SeriesTotal]:
        """Running totals for Prometheus; raises DatabaseAway."""
        return self._totals.read()

    def calls(self, filters: Filters) -> Sequence[CallSummary]:
        """A page of calls; raises DatabaseAway."""
        return self._calls.list(filters)

    def search(self, filters: Filters, words: str) -> Found:
        """Calls in which these words were said; raises DatabaseAway and SealError."""
        return self._search.find(filters, words, SEARCH_SECONDS)

    def call(self, call_id: str) -> Call | None:
        """One call with its content; raises DatabaseAway and SealError."""
        return self._calls.get(call_id)

    def close(self) -> None:
        """Let go of database connections."""
        self._engine.dispose()


def _liveness(updated: float, now: float) -> str:
    return "running" if now - updated < ALIVE_SECONDS else "silent"


_FIGURES = (
    "since",
    "until",
    "calls",
    "routable",
    "replaced",
    "replacement_rate",
    "fallbacks",
    "errors",
    "latency_ms",
    "first_byte_ms",
    "overhead_ms",
    "tokens",
    "cost",
    "cost_avoided",
    "unpriced",
    "groups",
)
