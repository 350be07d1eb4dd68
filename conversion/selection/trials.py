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
from conversion.threshold import choose, prospect
from router.gate.scorers.by_kind import scorer_for
from router.gate.scorers.free_text import Similarity
from router.gate.selective import GRID
from router.gate.shift import floor
from store.whole_file import replace_file

_HOPELESS: Final = 0.01
"""A candidate whose chance of passing is lower, as its calibration calls show it, has little to gain."""
_FOR_THE_HOPELESS: Final = 0.02
"""Part of the level that these share, and those that cannot be deployed: they are looked at, but may not cost the
others what they need."""
RESULT: Final = "trial.json"
"""In a candidate's folder: its counts, and which held-out calls they are of."""

Announce = Callable[[str], Progress]
"""Called with a candidate's name before it is tried; gives what its progress is told to."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A candidate, and how the proxy could use it."""

    candidate: Candidate
    servable: bool = True
    engine: str = ""
    """The engine of the configuration that serves it; empty is the first of its kind."""
    serves: str = ""
    """The name that this engine has for it already; empty where what was trained is loaded under a name of its own."""
    barred: str = ""
    """Why it may not be tried, whatever the candidate says."""

    def unsuited(self, data: TaskData) -> str:
        """Why it is not tried on a task; empty when it is."""
        return self.barred or self.candidate.unsuited(data)


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
    chance: float = 1.0


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A contender before the held-out calls are looked at, or what an interrupted run saw of them."""

    counts: Counts
    """Its failure, or all of it where it is known already."""
    chance: float = 0.0
    """That it passes, as its calibration calls show it."""
    trained: Trained | None = None
    """What is still to be tested."""
    pairs: Sequence[tuple[float, bool]] = ()
    """Confidence and agreement of the calibration calls."""


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

    The level is divided by what the calibration calls show, before anyone looks at the held-out ones (see `shares`).
    Goes on where an interrupted run stopped: counts already in `folder` for the same held-out calls are taken as
    they are, so that no candidate looks at them twice. Raises ValueError without contenders or held-out calls."""
    if not contenders or not data.held_out:
        raise ValueError(
            f"task {data.task.id!r} has {len(contenders)} candidates and {len(data.held_out)} held-out calls; "
            "it takes at least one of each"
        )
    places = [folder_of(folder, contender.candidate.name) for contender in contenders]
    prepared = [
        _prepared(
            contender, data, place, target, 1 - confidence, likeness, announce(contender.candidate.name)
        )
        for contender, place in zip(contenders, places, strict=True)
    ]
    parts = shares(
        [one.chance if each.servable else 0.0 for each, one in zip(contenders, prepared, strict=True)]
    )
    trials = [
        Trial.of(
            _tested(one, data, place, target, (1 - confidence) * (part or 1 / len(contenders)), likeness),
            target=target,
            confidence=confidence,
            candidates=len(contenders),
            dollars_per_million=contender.candidate.dollars_per_million,
            servable=contender.servable,
            share=part,
        )
        for contender, one, place, part in zip(contenders, prepared, places, parts, strict=True)
    ]
    return rank(data.task.id, target, trials)


def shares(chances: Sequence[float]) -> Sequence[float | None]:
    """How the level is divided among candidates with these chances of passing: equally (None), or nearly all of it
    equally among those that have a chance where others have none. The parts are 1 together, and depend on no held-out
    call, so that Bonferroni's bound holds as it does for equal ones."""
    hopeful = [chance >= _HOPELESS for chance in chances]
    if all(hopeful) or not any(hopeful):
        return [None] * len(chances)
    many = sum(hopeful)
    return [
        (1 - _FOR_THE_HOPELESS) / many if hope else _FOR_THE_HOPELESS / (len(chances) - many)
        for hope in hopeful
    ]


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


def _prepared(
    contender: Contender,
    data: TaskData,
    folder: Path,
    target: float,
    alpha: float,
    likeness: Similarity | None,
    progress: Progress,
) -> _Prepared:
    """Train, and see what the calibration calls say."""
    candidate = contender.candidate
    if (known := _known(folder, _digest(data.held_out))) is not None:
        return _Prepared(known.counts, known.chance)
    if reason := contender.unsuited(data):
        return _Prepared(Counts(candidate.name, failure=reason))
    try:
        trained = candidate.train(data, folder, progress)
    except TrainingError as error:
        return _Prepared(Counts(candidate.name, failure=str(error)))
    attempts = trained.answer(data.calibration) if data.calibration else ()
    pairs = _scored(data.calibration, attempts, data, likeness)
    threshold = _threshold(pairs, trained, len(data.held_out), target, alpha)
    chance = prospect(pairs, threshold, len(data.held_out), target, alpha)
    return _Prepared(Counts(candidate.name), chance, trained, pairs)


def _threshold(
    pairs: Sequence[tuple[float, bool]], trained: Trained, held_out: int, target: float, alpha: float
) -> float:
    """The confidence to answer from, chosen on the calibration calls; 0 where there are none, or none promises much.

    It is no lower than what keeps the target when a part of the live calls is of kinds that no log held."""
    promised = choose(pairs, held_out, target, alpha) or 0.0
    return max(promised, floor(pairs, trained.unseen, target))


def _tested(
    prepared: _Prepared,
    data: TaskData,
    folder: Path,
    target: float,
    alpha: float,
    likeness: Similarity | None,
) -> Counts:
    """The counts on the held-out calls, kept so that they are looked at once; `alpha` is the candidate's part."""
    if prepared.trained is None:
        return prepared.counts
    threshold = _threshold(prepared.pairs, prepared.trained, len(data.held_out), target, alpha)
    counts = _held_out(prepared.counts.candidate, prepared.trained, data, threshold, likeness)
    kept = _Kept(_digest(data.held_out), counts, prepared.chance)
    replace_file(folder / RESULT, msgspec.json.encode(kept))
    return counts


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


def _known(folder: Path, calls: str) -> _Kept | None:
    """What an earlier run saw of the same calls; None when there is nothing that can be read."""
    try:
        kept = msgspec.json.decode((folder / RESULT).read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        return None
    return kept if kept.held_out == calls else None
