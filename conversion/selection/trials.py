"""Every candidate of a task on the same held-out calls, ranked by certified agreement per dollar."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from conversion.candidate import Attempted, Candidate, Progress, Trained, TrainingError
from conversion.example import Example
from conversion.selection.trial import Counts, Trial
from conversion.task import TaskData
from conversion.threshold import choose
from router.gate.scorers.by_kind import scorer_for
from router.gate.scorers.free_text import Similarity
from router.gate.selective import GRID
from router.gate.shift import floor

RESULT: Final = "trial.json"
"""In a candidate's folder: its counts, and which held-out calls they are of."""

Announce = Callable[[str], Progress]
"""Called with a candidate's name before it is tried; gives what its progress is told to."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A candidate, and whether the proxy could use it."""

    candidate: Candidate
    servable: bool = True


@dataclass(frozen=True, slots=True)
class Ranking:
    """The trials of one task, best first: certified ones by their value, then the others by their lower bound."""

    task: str
    target: float
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """What to make the understudy of; None when no model is good enough."""
        first = next(iter(self.trials), None)
        return first if first is not None and first.certified else None

    @property
    def sentence(self) -> str:
        """For people: the choice, or why there is none."""
        if self.best is not None:
            return f"{self.best.name} is chosen for {self.task}: {self.best.sentence}"
        closest = max(self.trials, key=lambda trial: trial.verdict.lower, default=None)
        if closest is None or closest.counts.failure:
            return f"no model could be tried for {self.task}; its calls stay with the LLM"
        return (
            f"no model is good enough for {self.task}, its calls stay with the LLM; {closest.name} came closest: "
            f"{closest.sentence}"
        )


class _Kept(msgspec.Struct):
    held_out: str
    counts: Counts


def hold(
    contenders: Sequence[Contender],
    data: TaskData,
    folder: Path,
    *,
    target: float,
    confidence: float = 0.95,
    likeness: Similarity | None = None,
    announce: Announce = lambda _: lambda *_: None,
) -> Ranking:
    """Try every contender; one that is unsuited or cannot be trained is a trial with its failure.

    Goes on where an interrupted run stopped: counts already in `folder` for the same held-out calls are taken as
    they are, so that no candidate looks at them twice. Raises ValueError without contenders or held-out calls."""
    if not contenders or not data.held_out:
        raise ValueError(
            f"task {data.task.id!r} has {len(contenders)} candidates and {len(data.held_out)} held-out calls; "
            "it takes at least one of each"
        )
    trials = []
    for contender in contenders:
        candidate = contender.candidate
        place = folder_of(folder, candidate.name)
        alpha = (1 - confidence) / len(contenders)
        counts = _counts(candidate, data, place, target, alpha, likeness, announce(candidate.name))
        trials.append(
            Trial.of(
                counts,
                target=target,
                confidence=confidence,
                candidates=len(contenders),
                dollars_per_million=candidate.dollars_per_million,
                servable=contender.servable,
            )
        )
    return rank(data.task.id, target, trials)


def folder_of(folder: Path, candidate: str) -> Path:
    """Where a candidate keeps its files."""
    return folder / re.sub(r"[^A-Za-z0-9._-]+", "-", candidate)


def rank(task: str, target: float, trials: Sequence[Trial]) -> Ranking:
    """Order trials: certified and servable ones by certified agreement per dollar, the others by their lower bound."""
    ordered = sorted(
        trials,
        key=lambda trial: (
            not trial.certified,
            -trial.value if trial.certified else 0.0,
            -trial.verdict.lower * trial.coverage,
            trial.name,
        ),
    )
    return Ranking(task, target, tuple(ordered))


def _counts(
    candidate: Candidate,
    data: TaskData,
    folder: Path,
    target: float,
    alpha: float,
    likeness: Similarity | None,
    progress: Progress,
) -> Counts:
    calls = _digest(data.held_out)
    if (known := _known(folder, calls)) is not None:
        return known
    if reason := candidate.unsuited(data):
        return Counts(candidate.name, failure=reason)
    try:
        trained = candidate.train(data, folder, progress)
    except TrainingError as error:
        return Counts(candidate.name, failure=str(error))
    threshold = _threshold(trained, data, target, alpha, likeness)
    counts = _held_out(candidate.name, trained, data, threshold, likeness)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).write_bytes(msgspec.json.encode(_Kept(calls, counts)))
    return counts


def _threshold(
    trained: Trained, data: TaskData, target: float, alpha: float, likeness: Similarity | None
) -> float:
    """The confidence to answer from, chosen on the calibration calls; 0 where there are none, or none promises much.

    It is no lower than what keeps the target when a part of the live calls is of kinds that no log held."""
    attempts = trained.answer(data.calibration) if data.calibration else ()
    pairs = _scored(data.calibration, attempts, data, likeness)
    promised = choose(pairs, len(data.held_out), target, alpha) or 0.0
    return max(promised, floor(pairs, trained.unseen, target))


def _held_out(
    name: str, trained: Trained, data: TaskData, threshold: float, likeness: Similarity | None
) -> Counts:
    began = time.monotonic()
    attempts = trained.answer(data.held_out)
    seconds = time.monotonic() - began
    scored = _scored(data.held_out, attempts, data, likeness)
    answered = [agreed for sure, agreed in scored if sure >= threshold]
    return Counts(
        candidate=name,
        held_out=len(attempts),
        answered=len(answered),
        agreed=sum(answered),
        threshold=threshold,
        tokens=sum(
            attempt.tokens or each.input_tokens + each.output_tokens
            for each, attempt in zip(data.held_out, attempts, strict=True)
        ),
        seconds=seconds,
        curve=tuple(_curve(scored)),
    )


def _scored(
    examples: Sequence[Example], attempts: Sequence[Attempted], data: TaskData, likeness: Similarity | None
) -> list[tuple[float, bool]]:
    """Confidence and agreement; what it could not answer has a confidence that no threshold lets through."""
    return [
        (-1.0, False)
        if attempt.answer is None
        else (attempt.confidence, _agrees(example, attempt, data, likeness))
        for example, attempt in zip(examples, attempts, strict=True)
    ]


def _curve(scored: Sequence[tuple[float, bool]]) -> Iterator[tuple[float, int, int]]:
    for threshold in GRID:
        answered = [agreed for sure, agreed in scored if sure >= threshold]
        yield threshold, len(answered), sum(answered)


def _agrees(example: Example, attempt: Attempted, data: TaskData, likeness: Similarity | None) -> bool:
    if attempt.answer is None:
        return False
    scorer = scorer_for(data.task.kind, example.request, likeness)
    return scorer.score(example.answer, attempt.answer).agrees


def _digest(examples: Sequence[Example]) -> str:
    return hashlib.sha256("\n".join(example.call_id for example in examples).encode()).hexdigest()


def _known(folder: Path, calls: str) -> Counts | None:
    """The counts of an earlier run on the same calls; None when there are none that can be read."""
    try:
        kept = msgspec.json.decode((folder / RESULT).read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        return None
    return kept.counts if kept.held_out == calls else None
