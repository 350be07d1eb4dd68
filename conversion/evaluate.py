"""The evaluation: every candidate of a task trained, its threshold set on calibration calls, judged on held-out ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from conversion.findings import Chosen, Judged
from conversion.selection.trials import Announce, Contender, hold
from conversion.split import one_a_session
from conversion.task import TaskData
from conversion.threshold import needed

_FEWEST_SESSIONS: Final = 2


@dataclass(frozen=True, slots=True)
class Aim:
    """What a task's understudy has to reach."""

    target: float = 0.95
    confidence: float = 0.95


def gate_view(data: TaskData) -> TaskData:
    """The data as the gate may look at it: of each session one held-out call, since calls of a session hang together."""
    return replace(data, held_out=one_a_session(data.held_out))


def choose(data: TaskData, contenders: Sequence[Contender], aim: Aim, min_examples: int) -> Chosen:
    """Which contenders are worth training: none where the task has too little for anything to be certified."""
    unsuited = {each.candidate.name: reason for each in contenders if (reason := each.unsuited(data))}
    names = [each.candidate.name for each in contenders if each.candidate.name not in unsuited]
    skipped = too_few(data, min_examples) or ("" if names else _nothing(unsuited))
    skipped = skipped or hopeless(data, aim)
    return Chosen(
        task=data.task.id,
        training=len(data.training),
        calibration=len(data.calibration),
        held_out=len(data.held_out),
        candidates=[] if skipped else names,
        unsuited=unsuited,
        skipped=skipped,
    )


def _nothing(unsuited: Mapping[str, str]) -> str:
    reasons = "; ".join(dict.fromkeys(unsuited.values()))
    return reasons or "nothing that could be trained is installed: pip install 'understudy[convert]'"


def too_few(data: TaskData, min_examples: int) -> str:
    """Why a task has too little to learn from, in a sentence; empty when it has enough."""
    examples = (*data.training, *data.calibration, *data.held_out)
    if len(examples) < min_examples:
        return f"it has {len(examples)} examples, {min_examples} are needed (learning.min_examples)"
    if len({example.session for example in examples}) < _FEWEST_SESSIONS:
        return (
            "all its calls are of one session, so none are left to test on that are not also learned from; "
            "name sessions apart with the header x-understudy-session"
        )
    return ""


def hopeless(data: TaskData, aim: Aim) -> str:
    """Why nothing could be certified even if it always agreed, in a sentence; empty when something could."""
    if needed(len(data.held_out), aim.target, 1 - aim.confidence) is not None:
        return ""
    return (
        f"{len(data.held_out)} sessions are held out: too few to show an agreement of {aim.target:g} with "
        f"confidence {aim.confidence:g}, even if all agree"
    )


def judge(
    data: TaskData, contenders: Sequence[Contender], folder: Path, aim: Aim, announce: Announce
) -> Judged:
    """Train and test the contenders, and rank them by certified agreement and coverage per dollar."""
    ranking = hold(contenders, data, folder, target=aim.target, confidence=aim.confidence, announce=announce)
    best = ranking.best
    return Judged(
        task=data.task.id,
        target=aim.target,
        confidence=aim.confidence,
        trials=list(ranking.trials),
        sentence=ranking.sentence,
        best="" if best is None else best.name,
    )
