"""The loop of the paper, step by step: curate, cluster, select, finetune, evaluate, promote (S2 to S5).

Each step reads what the steps before it found from the run's folder and leaves what it found there; a step that is
done is not done again, so a killed run goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, TypeVar, get_args

import msgspec

from conversion.audited import Audited
from conversion.candidate import Progress, TrainingError
from conversion.cluster.landscape import landscape
from conversion.curate.curation import Curation
from conversion.dataset import Dataset
from conversion.evaluate import choose, gate_view, judge
from conversion.findings import (
    Chosen,
    Clustered,
    Curated,
    Evaluated,
    Finetuned,
    Judged,
    Promoted,
    Promotion,
    Selected,
)
from conversion.generative import not_generated
from conversion.once import Once
from conversion.promote import Promoter
from conversion.run import ConversionError, Run
from conversion.selection.needs import Needs
from conversion.selection.trials import Contender, folder_of
from conversion.surroundings import Request, Surroundings
from conversion.task import TaskData
from conversion.tasks_data import TasksData
from store.artifacts import Artifact
from store.errors import ArtifactError
from store.keyring import Sealer
from store.pair_answers import PairAnswers

Step = Literal["curate", "cluster", "select", "finetune", "evaluate", "promote"]
STEPS: Final[tuple[Step, ...]] = get_args(Step)
ROUTER: Final = "router"
_Found = TypeVar("_Found")


class Conversion:
    """One run. Steps raise ConversionError, StoreError and OSError; what was found before stays."""

    def __init__(self, surroundings: Surroundings, run: Run, request: Request) -> None:
        self._around = surroundings
        self._stores = surroundings.stores
        self._run = run
        self._request = request
        self._dataset: Dataset | None = None

    def perform(self, until: Step = "promote") -> None:
        """Do every step up to and including one; those that are done are passed over."""
        for step in STEPS[: STEPS.index(until) + 1]:
            getattr(self, step)()

    def again(self, step: Step) -> None:
        """Have a step, and what builds on it, done anew."""
        for each in STEPS[STEPS.index(step) :]:
            self._run.forget(each)

    def curate(self) -> Curated:
        """Make the data set (S2)."""
        return self._once("curate", Curated, self._curate)

    def cluster(self) -> Clustered:
        """Find the tasks (S3)."""
        return self._once("cluster", Clustered, self._cluster)

    def select(self) -> Selected:
        """Choose what to try for each task (S4)."""
        return self._once("select", Selected, self._select)

    def finetune(self) -> Finetuned:
        """Train what was chosen (S5)."""
        return self._once("finetune", Finetuned, self._finetune)

    def evaluate(self) -> Evaluated:
        """Test what was trained against the LLM."""
        return self._once("evaluate", Evaluated, self._evaluate)

    def promote(self) -> Promoted:
        """Put tasks, router and the understudies that are good enough into the store."""
        return self._once("promote", Promoted, self._promote)

    def _once(self, step: Step, kind: type[_Found], do: Callable[[], _Found]) -> _Found:
        found = self._run.result(step, kind)
        if found is None:
            found = do()
            self._run.keep(step, found)
        return found

    def _curate(self) -> Curated:
        request, stores = self._request, self._stores
        curation = Curation(
            span=request.span,
            caps=request.caps,
            seed=request.seed,
            known=frozenset(row.id for row in stores.tasks.list()),
            bad=stores.feedback.bad_calls,
            audit=Audited(stores.deployments, PairAnswers(Sealer(stores.ring))),
            privacy=self._around.ability.recognisers,
        )
        progress = self._around.listener.step("curate: reading the log")
        artifact = curation.run(stores.calls, stores.artifacts, stores.ring, progress)
        examples = int(artifact.facts["examples"])
        if not examples:
            dropped = ", ".join(f"{count} {reason}" for reason, count in artifact.facts["dropped"].items())
            raise ConversionError(
                f"the log holds no call to learn from ({artifact.facts['read']} read"
                + (f": {dropped}" if dropped else "")
                + "); let agents work through the proxy first"
            )
        return Curated(str(artifact.path), examples, dict(artifact.facts))

    def _cluster(self) -> Clustered:
        dataset = self._examples()
        progress = self._around.listener.step("cluster: finding tasks")
        found = self._around.ability.cluster(dataset, self._in_force(), progress)
        members: dict[str, list[int]] = {}
        for place, task in enumerate(found.assigned):
            if task is not None:
                members.setdefault(task, []).append(place)
        with self._stores.artifacts.create(ROUTER, ROUTER) as draft:
            found.save(draft.folder)
            artifact = draft.commit({"tasks": [task.id for task in found.tasks], "run": self._run.name})
        return Clustered(
            router=str(artifact.path),
            version=artifact.version,
            tasks=sorted(found.tasks, key=lambda task: -task.calls),
            members=members,
            unassigned=sum(task is None for task in found.assigned),
            changes=dict(found.changes),
            landscape=list(landscape(dataset)),
        )

    def _select(self) -> Selected:
        progress = self._around.listener.step("select: what to try for each task")
        chosen = self._each(progress, self._choice)
        return Selected(chosen)

    def _choice(self, data: TaskData) -> Chosen:
        aim = self._request.aim(data.task.id)
        contenders = self._contenders_of(data)
        chosen = choose(gate_view(data), contenders, aim, self._request.min_examples)
        sifted = None if not_generated(data) else self._around.ability.catalogue(data)
        if sifted is None:
            return chosen
        could_not = {name: list(reasons) for name, reasons in sifted.out.items()}
        return msgspec.structs.replace(
            chosen,
            needs=Needs.of(data).sentence,
            could=[model.name for model in sifted.fit],
            could_not=could_not,
        )

    def _finetune(self) -> Finetuned:
        tasks: dict[str, dict[str, str]] = {}
        for chosen in self.select().tasks:
            if chosen.candidates:
                data = gate_view(self._data().of(chosen.task))
                tasks[chosen.task] = {
                    each.candidate.name: self._train(each, data) for each in self._contenders(chosen, data)
                }
        return Finetuned(tasks)

    def _train(self, contender: Contender, data: TaskData) -> str:
        """What went wrong; empty when it was trained."""
        name = contender.candidate.name
        progress = self._around.listener.step(f"finetune: {name} for {data.task.id}")
        try:
            contender.candidate.train(data, place_of(self._run, data.task.id, name), progress)
        except TrainingError as error:
            self._around.listener.note(f"{name} could not be trained for {data.task.id}: {error}")
            return str(error)
        return ""

    def _evaluate(self) -> Evaluated:
        self.finetune()
        return Evaluated([self._judge(chosen) for chosen in self.select().tasks if chosen.candidates])

    def _judge(self, chosen: Chosen) -> Judged:
        data = gate_view(self._data().of(chosen.task))
        listener = self._around.listener
        found = judge(
            data,
            self._contenders(chosen, data),
            self._run.workspace(chosen.task),
            self._request.aim(chosen.task),
            lambda name: listener.step(f"evaluate: {name} for {chosen.task}"),
        )
        listener.note(found.sentence)
        return found

    def _promote(self) -> Promoted:
        evaluated, clustered = self.evaluate(), self.cluster()
        promoter = Promoter(
            self._stores, self._around.ability.engines, self._run.name, int(time.time() * 1e6)
        )
        if self._request.dry:
            return Promoted(
                [Promotion(each.task, sentence=each.sentence) for each in evaluated.tasks], "", []
            )
        promotions = [self._candidate(promoter, judged) for judged in evaluated.tasks]
        retired = promoter.tasks(clustered)
        promoter.router(clustered)
        return Promoted(promotions, clustered.router, retired)

    def _candidate(self, promoter: Promoter, judged: Judged) -> Promotion:
        if not judged.best:
            return Promotion(judged.task, sentence=judged.sentence)
        data = self._data().of(judged.task)
        contenders = {each.candidate.name: each for each in self._contenders_of(data)}
        contender = contenders[judged.best]
        place = place_of(self._run, judged.task, judged.best)
        trained = contender.candidate.train(gate_view(data), place, lambda done, total: None)
        return promoter.candidate(judged, contender, trained, contenders, data)

    def _each(self, progress: Progress, do: Callable[[TaskData], _Found]) -> list[_Found]:
        names = [task.id for task in self.cluster().tasks]
        if self._request.task:
            if self._request.task not in names:
                known = ", ".join(names) or "none were found"
                raise ConversionError(f"there is no task {self._request.task!r}; tasks: {known}")
            names = [self._request.task]
        found = []
        for number, name in enumerate(names, 1):
            found.append(do(self._data().of(name)))
            progress(number, len(names))
        return found

    def _contenders(self, chosen: Chosen, data: TaskData) -> Sequence[Contender]:
        return [each for each in self._contenders_of(data) if each.candidate.name in chosen.candidates]

    def _contenders_of(self, data: TaskData) -> Sequence[Contender]:
        return [
            replace(each, candidate=Once(each.candidate)) for each in self._around.ability.contenders(data)
        ]

    def _data(self) -> TasksData:
        return TasksData(self._examples(), self.cluster(), self._request.shares, self._request.per_task)

    def _examples(self) -> Dataset:
        if self._dataset is None:
            self._dataset = Dataset(self._stores.artifacts.open(Path(self.curate().dataset)))
        return self._dataset

    def _in_force(self) -> Artifact | None:
        """The router that workers use; None before the first, and when its files are damaged."""
        current = self._stores.routers.current()
        if current is None:
            return None
        try:
            return self._stores.artifacts.open(Path(current.path))
        except ArtifactError as error:
            self._around.listener.note(f"{error}; tasks are found as if for the first time")
            return None


def place_of(run: Run, task: str, candidate: str) -> Path:
    """Where a candidate is trained; the same for every step."""
    return folder_of(run.workspace(task), candidate)
