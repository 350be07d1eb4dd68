"""Tasks as the control pages tell of them: what they are, where their understudies stand, and what led there."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import orjson
from sqlalchemy import Engine

from store.calls import Call, Calls
from store.deployments import DeploymentRow, Deployments, PairRow
from store.errors import SealError
from store.history import History
from store.keyring import Sealer
from store.pair_answers import PairAnswers
from store.stats import Stats, Traffic
from store.tally import Tally, tallies
from store.tasks import TaskRow, Tasks
from store.window import Window, cover
from wire.answer import Answer, answer_of

_ADVANCE: Final = ("demoted", "observe", "shadow", "canary5", "canary25", "live")
"""States, the least advanced first."""

Page = dict[str, Any]


class TaskReadings:
    """Reads what the store knows of tasks. Times are Unix seconds, money dollars; what is not known is None.

    Methods raise DatabaseAway and SealError."""

    def __init__(self, engine: Engine, sealer: Sealer, calls: Calls) -> None:
        self._engine = engine
        self._stats = Stats(engine)
        self._tasks = Tasks(engine, sealer)
        self._deployments = Deployments(engine)
        self._history = History(engine)
        self._answers = PairAnswers(sealer)
        self._calls = calls

    def page(self, window: Window) -> Page:
        """Every task that lives, the one with the most calls in the window first."""
        traffic, counts = self._traffic(window), tallies(self._engine)
        deployments = defaultdict(list)
        for row in self._deployments.list():
            deployments[row.task].append(row)
        found = [
            _task(task, deployments[task.id], traffic, counts)
            for task in self._tasks.list()
            if task.retired is None
        ]
        return {"window": window, "tasks": sorted(found, key=lambda each: (-each["calls"], each["id"]))}

    def task(self, task_id: str, window: Window) -> Page | None:
        """One task with its understudies, each with its whole evidence trail; None when there is no such task."""
        task = self._tasks.get(task_id)
        if task is None:
            return None
        deployments, counts = self._deployments.list(task_id), tallies(self._engine)
        page = _task(task, deployments, self._traffic(window), counts)
        page["window"] = window
        page["deployments"] = [
            self._deployment(row, counts.get(row.understudy, Tally())) for row in reversed(deployments)
        ]
        return page

    def samples(self, task_id: str, limit: int) -> Page:
        """The latest pairs of a task, both answers side by side: content of calls."""
        rows = [
            pair
            for deployment in self._deployments.list(task_id)
            for pair in self._deployments.pairs(deployment.understudy, limit)
        ]
        latest = sorted(rows, key=lambda pair: pair.at, reverse=True)[:limit]
        return {"samples": [self._sample(pair) for pair in latest]}

    def changes(self, window: Window, limit: int) -> Page:
        """What was put in force in the window, the newest first: moves of understudies, routers, configurations."""
        since = cover(window, int(time.time()))[0].since * 1_000_000
        moves: list[Page] = [
            {
                "at": move.at / 1e6,
                "kind": "move",
                "subject": understudy,
                "text": f"{move.before} → {move.after}: {move.sentence}",
            }
            for understudy, move in self._deployments.moves_since(since, limit)
        ]
        events: list[Page] = [
            {"at": event.at / 1e6, "kind": event.kind, "subject": event.version, "text": event.text}
            for event in self._history.since(since, limit)
        ]
        found = sorted([*moves, *events], key=lambda each: each["at"], reverse=True)
        return {"window": window, "changes": found[:limit]}

    def _traffic(self, window: Window) -> Mapping[str, Traffic]:
        return self._stats.traffic(window, "task", int(time.time()))

    def _deployment(self, row: DeploymentRow, tally: Tally) -> Page:
        return {
            "understudy": row.understudy,
            "state": row.state,
            "engine": row.engine,
            "model": row.model,
            "threshold": row.threshold,
            "agreement": row.agreement,
            "confidence": row.confidence,
            "created": row.created / 1e6,
            "report": row.report or None,
            "offline": dict(row.offline) or None,
            "pairs": asdict(tally),
            "moves": [
                asdict(move) | {"at": move.at / 1e6} for move in self._deployments.moves(row.understudy)
            ],
        }

    def _sample(self, pair: PairRow) -> Page:
        call = self._calls.get(pair.call_id)
        seen = None if call is None else _answer_of_call(call)
        try:
            other = self._answers.open(pair.understudy, pair.call_id, pair.answer)
        except SealError:
            other = None
        llm, understudy = (seen, other) if pair.source == "shadow" else (other, seen)
        return {
            "call_id": pair.call_id,
            "at": pair.at / 1e6,
            "understudy": pair.understudy,
            "source": pair.source,
            "agreed": pair.agreed,
            "value": pair.value,
            "confidence": pair.confidence,
            "why": pair.why,
            "request_body": None
            if call is None or call.request.kind != "json"
            else orjson.loads(call.request.data),
            "llm_body": _said(llm),
            "understudy_body": _said(understudy),
        }


def _task(
    task: TaskRow,
    deployments: Sequence[DeploymentRow],
    traffic: Mapping[str, Traffic],
    counts: Mapping[str, Tally],
) -> Page:
    group = traffic.get(task.id)
    calls = group.calls if group else 0
    routable = sum(each.routable for each in traffic.values())
    page: Page = {
        "id": task.id,
        "title": task.title,
        "kind": task.kind,
        "answers": len(task.answers),
        "calls": calls,
        "share": calls / routable if routable else None,
        "replaced": group.replaced if group else 0,
        "replacement_rate": group.replacement_rate if group else None,
        "cost": group.cost if group else 0.0,
        "cost_avoided": group.cost_avoided if group else 0.0,
    }
    best = max(deployments, key=lambda row: (_ADVANCE.index(row.state), row.created), default=None)
    if best is None:
        return page | dict(_NO_UNDERSTUDY)
    tally = counts.get(best.understudy, Tally())
    coverage = _coverage(best, tally)
    spent = page["cost"] + page["cost_avoided"]
    return page | {
        "state": best.state,
        "understudy": best.understudy,
        "engine": best.engine,
        "agreement": _agreement(best, tally),
        "coverage": coverage,
        "threshold": best.threshold,
        "would_avoid": None if coverage is None or best.state == "demoted" else spent * coverage,
    }


_NO_UNDERSTUDY: Final[Mapping[str, Any]] = {
    "state": "observe",
    "understudy": None,
    "engine": None,
    "agreement": None,
    "coverage": None,
    "threshold": None,
    "would_avoid": None,
}


def _agreement(row: DeploymentRow, tally: Tally) -> Page:
    """The certified bound, and the plain share over the pairs so far; before the first over the held-out calls."""
    agreed, pairs = tally.agreed, tally.answered
    if not pairs:
        agreed, pairs = int(row.offline.get("successes", 0)), int(row.offline.get("trials", 0))
    return {
        "lower": row.agreement,
        "estimate": agreed / pairs if pairs else None,
        "pairs": pairs,
        "target": row.offline.get("target"),
        "confidence": row.confidence,
    }


def _coverage(row: DeploymentRow, tally: Tally) -> float | None:
    """The share of its calls that it is sure enough to answer."""
    if pairs := tally.answered + tally.abstained:
        return tally.answered / pairs
    told = row.offline.get("coverage")
    return float(told) if isinstance(told, int | float) else None


def _answer_of_call(call: Call) -> Answer | None:
    if call.response.kind != "json":
        return None
    body = orjson.loads(call.response.data)
    return answer_of(call.summary.endpoint, body) if isinstance(body, dict) else None


def _said(answer: Answer | None) -> Page | None:
    """An answer without what is empty in it; None when it was not kept."""
    if answer is None:
        return None
    return dict(_filled(answer))


def _filled(answer: Answer) -> Iterator[tuple[str, Any]]:
    for name, value in asdict(answer).items():
        if value:
            yield name, value
