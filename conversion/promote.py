"""Promotion: what was found and proven is written where the gatekeeper and the workers find it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from conversion.candidate import Trained, TrainingError
from conversion.comparison import Comparison, Side, compare
from conversion.findings import Clustered, Judged, Promotion
from conversion.once import MARK
from conversion.selection.trial import Trial
from conversion.selection.trials import RESULT, Contender
from conversion.surroundings import Stores
from conversion.task import TaskData
from router.gate.policy import Policy
from router.gate.states import Evidence, Move, State, advance
from store.deployments import AT_WORK, DeploymentRow, MoveRow
from store.errors import ArtifactError
from store.tasks import TaskRow

_KINDS: Final = {"heads": "head", "vllm": "adapter"}
"""Kind of artifact by kind of engine."""
_BARE: Final = "bare"
"""Of a model that its engine serves as it is: which one, and how it was tried."""
_only_ours: Final = shutil.ignore_patterns(RESULT, MARK, "checkpoint-*")


class Promoter:
    """Writes the results of one run; what an interrupted run has written already is not written twice."""

    def __init__(self, stores: Stores, engines: Callable[[str], str], run: str, now: int) -> None:
        self._stores = stores
        self._engines = engines
        self._run = run
        self._now = now

    def candidate(
        self,
        judged: Judged,
        contender: Contender,
        trained: Trained,
        others: Mapping[str, Contender],
        data: TaskData,
    ) -> Promotion:
        """Deploy a task's best candidate into shadow, unless the understudy at work is as good.

        Raises StoreError and OSError; then the former understudy stays."""
        rows = self._stores.deployments.list(judged.task)
        if (mine := next((row for row in rows if row.offline.get("run") == self._run), None)) is not None:
            return self._to_shadow(mine, judged)
        trial = next(each for each in judged.trials if each.name == judged.best)
        incumbent = next((row for row in reversed(rows) if row.state in AT_WORK), None)
        replaces = ""
        if incumbent is not None:
            comparison = self._compared(incumbent, Side(trained, trial.counts.threshold), others, data)
            if comparison is not None and not comparison.better:
                sentence = f"{incumbent.understudy} stays: {comparison.sentence}"
                return Promotion(judged.task, incumbent.understudy, incumbent.state, sentence=sentence)
            replaces = incumbent.understudy
        name = f"{judged.task}@{_next_number(rows)}"
        row = self._row(name, judged, trial, contender, trained, data, replaces)
        self._stores.deployments.create(row)
        return self._to_shadow(row, judged)

    def tasks(self, clustered: Clustered) -> list[str]:
        """Save the tasks; those that were not found again are retired, and their understudies with them."""
        known = {row.id: row for row in self._stores.tasks.list()}
        rows = [
            TaskRow(
                id=task.id,
                title=task.title,
                kind=task.kind,
                calls=task.calls,
                share=task.share,
                answers=task.answers,
                run=self._run,
                created=known[task.id].created if task.id in known else self._now,
            )
            for task in clustered.tasks
        ]
        present = {row.id for row in rows}
        gone = [row for row in known.values() if row.id not in present and row.retired is None]
        rows += [replace(row, retired=self._now) for row in gone]
        self._stores.tasks.save(rows)
        for task, change in clustered.changes.items():
            self._move_all(task, partial(_changed, Evidence(change=change)))
        for row in gone:
            self._move_all(row.id, _retirement)
        return [row.id for row in gone]

    def router(self, clustered: Clustered) -> None:
        """Put the router in force."""
        changed = [f"{task} {change}" for task, change in sorted(clustered.changes.items())]
        why = "; ".join([f"recognises {len(clustered.tasks)} tasks", *changed])
        self._stores.routers.set_current(clustered.router, clustered.version, at=self._now, why=why)

    def _to_shadow(self, row: DeploymentRow, judged: Judged) -> Promotion:
        """The first move, made by the gate's own rule."""
        trial = next(each for each in judged.trials if each.name == judged.best)
        sentence, state = judged.sentence, row.state
        policy = Policy(target=judged.target, confidence=judged.confidence)
        if row.state == "observe" and (move := advance("observe", Evidence(trial.verdict), policy)):
            self._stores.deployments.record(row.understudy, (), row.evidence, _row_of(move), self._now)
            sentence, state = move.sentence, move.after
        replaces = str(row.offline.get("replaces") or "")
        return Promotion(judged.task, row.understudy, state, replaces, sentence)

    def _row(
        self,
        name: str,
        judged: Judged,
        trial: Trial,
        contender: Contender,
        trained: Trained,
        data: TaskData,
        replaces: str,
    ) -> DeploymentRow:
        candidate = contender.candidate
        facts: dict[str, Any] = {
            "candidate": candidate.name,
            "task": judged.task,
            "kind": data.task.kind,
            "run": self._run,
            "replaces": replaces,
            "coverage": trial.coverage,
        } | msgspec.to_builtins(trial.verdict)
        kind = _BARE if contender.serves else _KINDS[candidate.engine]
        with self._stores.artifacts.create(kind, name) as draft:
            shutil.copytree(trained.files, draft.folder, dirs_exist_ok=True, ignore=_only_ours)
            artifact = draft.commit(facts | {"threshold": trial.counts.threshold})
        return DeploymentRow(
            understudy=name,
            task=judged.task,
            kind=data.task.kind,
            engine=contender.engine or self._engines(candidate.engine),
            model=contender.serves or name,
            files=str(artifact.path),
            threshold=trial.counts.threshold,
            agreement=trial.verdict.lower,
            confidence=trial.verdict.confidence,
            offline=facts,
            created=self._now,
        )

    def _compared(
        self, incumbent: DeploymentRow, side: Side, others: Mapping[str, Contender], data: TaskData
    ) -> Comparison | None:
        """Both on fresh calls; None when the incumbent's files cannot be loaded any more."""
        maker = others.get(str(incumbent.offline.get("candidate", "")))
        if maker is None:
            return None
        try:
            self._stores.artifacts.open(Path(incumbent.files))
            loaded = maker.candidate.load(Path(incumbent.files))
        except (ArtifactError, TrainingError):
            return None
        return compare(
            side, Side(loaded, incumbent.threshold), data.held_out, incumbent.created, data.task.kind
        )

    def _move_all(self, task: str, decide: Callable[[State], Move | None]) -> None:
        """Move the understudies of a task that are at work; their evidence was of another task, and is dropped."""
        for row in self._stores.deployments.list(task, live_only=True):
            state: State = msgspec.convert(row.state, State)
            if (move := decide(state)) is not None:
                self._stores.deployments.record(row.understudy, (), b"", _row_of(move), self._now)


def _changed(evidence: Evidence, state: State) -> Move | None:
    return advance(state, evidence, Policy())


def _retirement(state: State) -> Move:
    return Move(state, "demoted", "retired", {}, "the task was not found again in the latest log")


def _row_of(move: Move) -> MoveRow:
    return MoveRow(move.before, move.after, move.rule, move.sentence, dict(move.numbers))


def _next_number(rows: Iterable[DeploymentRow]) -> int:
    numbers = (row.understudy.rpartition("@")[2] for row in rows)
    return 1 + max((int(number) for number in numbers if number.isdigit()), default=0)
