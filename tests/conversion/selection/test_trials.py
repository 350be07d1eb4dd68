"""Trials: the same held-out calls for all, the level divided, certified agreement per dollar, each looked at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion.candidate import Attempted, EngineKind, Progress, TrainingError
from conversion.example import Example
from conversion.selection.prompted import FewShot, ZeroShot
from conversion.selection.served import ServedModel
from conversion.selection.trial import Counts, Trial
from conversion.selection.trials import RESULT, Contender, hold, rank, shares
from conversion.selection.utilisation import Utilisation
from conversion.task import Task, TaskData
from router.gate.clopper_pearson import lower_bound
from tests.conversion.selection.conftest import example
from wire.answer import Answer


@dataclass
class Scripted:
    """A candidate that gets every n-th call wrong, and says so by its confidence when it is honest."""

    name: str
    wrong_every: int = 0
    dollars_per_million: float = 0.0
    honest: bool = False
    failing: str = ""
    reason: str = ""
    engine: EngineKind = "heads"
    files: Path = Path()
    trained: int = 0
    seen: list[str] = field(default_factory=list)

    def unsuited(self, data: TaskData) -> str:
        return self.reason

    def train(self, data: TaskData, folder: Path, progress: Progress) -> Scripted:
        self.trained += 1
        if self.failing:
            raise TrainingError(self.failing)
        progress(1, 1)
        return self

    def load(self, folder: Path) -> Scripted:
        return self

    @property
    def unseen(self) -> Sequence[float]:
        return ()

    def answer(self, examples: Sequence[Example]) -> Sequence[Attempted]:
        self.seen += [each.call_id for each in examples]
        return [self._one(number, each) for number, each in enumerate(examples)]

    def _one(self, number: int, each: Example) -> Attempted:
        wrong = bool(self.wrong_every) and number % self.wrong_every == 0
        answer = Answer("something else") if wrong else each.answer
        return Attempted(answer, confidence=0.4 if wrong and self.honest else 0.99)


def _contenders(*candidates: Scripted) -> list[Contender]:
    return [Contender(candidate) for candidate in candidates]


def test_the_cheapest_of_the_certified_is_chosen(data: TaskData, tmp_path: Path) -> None:
    dear, cheap = Scripted("dear", dollars_per_million=2.0), Scripted("cheap", dollars_per_million=0.1)
    poor = Scripted("poor", wrong_every=10)
    ranking = hold(_contenders(dear, poor, cheap), data, tmp_path, target=0.95)
    assert [trial.name for trial in ranking.trials] == ["cheap", "dear", "poor"]
    assert ranking.best is not None
    assert ranking.best.name == "cheap"
    assert ranking.best.verdict.lower == pytest.approx(lower_bound(150, 150, 0.05 * 0.98 / 2))
    assert ranking.trials[-1].verdict.lower == pytest.approx(lower_bound(135, 150, 0.05 * 0.02))
    assert ranking.best.dollars_per_thousand == pytest.approx(0.1 * 100 / 1000)
    assert ranking.sentence.startswith("cheap is chosen for support/label: 150 of 150 held-out pairs agree")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_the_level_is_divided_whole(chances: list[float]) -> None:
    parts = [1 / len(chances) if part is None else part for part in shares(chances)]
    assert sum(parts) == pytest.approx(1)
    assert all(part > 0 for part in parts)
    by_chance = sorted(zip(chances, parts, strict=True))
    assert [part for _, part in by_chance] == sorted(parts)


def test_one_without_a_chance_costs_the_others_little() -> None:
    assert list(shares([0.9, 0.0, 0.0])) == pytest.approx([0.98, 0.01, 0.01])
    assert list(shares([0.5, 0.9])) == [None, None]
    assert list(shares([0.0, 0.001])) == [None, None]


def test_the_level_is_divided_before_held_out_calls_are_seen(data: TaskData, tmp_path: Path) -> None:
    """What an interrupted run saw of one candidate does not change what the other has to show."""
    whole = hold(_contenders(Scripted("a"), Scripted("b", wrong_every=2)), data, tmp_path, target=0.95)
    (tmp_path / "b" / RESULT).unlink()
    again = hold(_contenders(Scripted("a"), Scripted("b", wrong_every=2)), data, tmp_path, target=0.95)
    assert [(each.name, each.verdict) for each in again.trials] == [
        (each.name, each.verdict) for each in whole.trials
    ]


def test_more_candidates_ask_more_of_each(data: TaskData, tmp_path: Path) -> None:
    alone = hold(_contenders(Scripted("a")), data, tmp_path / "one", target=0.975)
    many = hold(_contenders(*(Scripted(name) for name in "abcdef")), data, tmp_path / "many", target=0.975)
    assert alone.best is not None
    assert many.best is None


def test_no_model_is_good_enough_is_an_answer(data: TaskData, tmp_path: Path) -> None:
    ranking = hold(
        _contenders(
            Scripted("poor", wrong_every=10), Scripted("worse", wrong_every=3), Scripted("none", reason="too long")
        ),
        data,
        tmp_path,
        target=0.95,
    )  # fmt: skip
    assert ranking.best is None
    assert ranking.sentence.startswith(
        "no model is good enough for support/label, its calls stay with the LLM; poor"
    )
    assert ranking.trials[-1].sentence == "too long"


def test_nothing_that_could_be_tried_is_told(data: TaskData, tmp_path: Path) -> None:
    ranking = hold(_contenders(Scripted("broken", failing="the disk is full")), data, tmp_path, target=0.9)
    assert ranking.best is None
    assert ranking.sentence.startswith("no model could be tried for support/label")
    assert ranking.trials[0].sentence == "the disk is full"


def test_a_candidate_that_knows_when_it_is_wrong_answers_the_rest(data: TaskData, tmp_path: Path) -> None:
    sure = [example(n) for n in range(150, 650)]
    more = TaskData(data.task, data.training, tuple(sure), data.held_out)
    ranking = hold(_contenders(Scripted("honest", wrong_every=10, honest=True)), more, tmp_path, target=0.95)
    best = ranking.best
    assert best is not None
    assert best.coverage == pytest.approx(0.9)
    assert best.counts.threshold > 0.4
    assert best.counts.agreed == best.counts.answered == 135


def test_held_out_calls_are_looked_at_once(data: TaskData, tmp_path: Path) -> None:
    first, again = Scripted("same/name"), Scripted("same/name")
    one = hold(_contenders(first), data, tmp_path, target=0.95)
    two = hold(_contenders(again), data, tmp_path, target=0.95)
    assert (first.trained, again.trained) == (1, 0)
    assert one == two
    newer = TaskData(data.task, data.training, data.calibration, data.held_out[1:])
    hold(_contenders(again), newer, tmp_path, target=0.95)
    assert again.trained == 1


def test_a_torn_result_is_tried_again(data: TaskData, tmp_path: Path) -> None:
    candidate = Scripted("one")
    hold(_contenders(candidate), data, tmp_path, target=0.95)
    (tmp_path / "one" / RESULT).write_bytes(b'{"held_')
    hold(_contenders(candidate), data, tmp_path, target=0.95)
    assert candidate.trained == 2


def test_prompted_candidates_on_a_real_engine(data: TaskData, served: ServedModel, tmp_path: Path) -> None:
    zero = ZeroShot("tiny", served, dollars_per_million=1.0)
    few = FewShot("tiny", served, dollars_per_million=1.0)
    ranking = hold(
        [Contender(zero), Contender(few, servable=False)], data, tmp_path, target=0.95,
    )  # fmt: skip
    by_name = {trial.name: trial for trial in ranking.trials}
    assert by_name["zero-shot/tiny"].counts.agreed == 0
    assert by_name["few-shot/tiny"].counts.agreed == 150
    assert by_name["few-shot/tiny"].verdict.certified
    assert ranking.best is None  # the proxy cannot put examples into prompts
    assert "few-shot/tiny came closest" in ranking.sentence
    assert by_name["few-shot/tiny"].counts.tokens > by_name["zero-shot/tiny"].counts.tokens


@pytest.mark.parametrize(("contenders", "held_out"), [(0, True), (1, False)])
def test_there_must_be_candidates_and_calls(
    data: TaskData, tmp_path: Path, contenders: int, held_out: bool
) -> None:
    bare = TaskData(data.task, data.training, (), data.held_out if held_out else ())
    with pytest.raises(ValueError, match="it takes at least one of each"):
        hold(_contenders(*[Scripted("a")] * contenders), bare, tmp_path, target=0.95)


def test_one_that_answers_more_is_worth_more() -> None:
    def trial(name: str, answered: int) -> Trial:
        counts = Counts(name, held_out=1000, answered=answered, agreed=answered, tokens=100_000)
        return Trial.of(
            counts, target=0.9, confidence=0.95, candidates=2, dollars_per_million=1.0, servable=True
        )

    assert [each.name for each in rank("t", 0.9, [trial("half", 500), trial("all", 1000)]).trials] == [
        "all",
        "half",
    ]


def test_a_host_is_paid_by_the_hour(data: TaskData) -> None:
    busy = Utilisation(2.0, tokens=4_000_000, hours=1.0)
    assert busy.dollars_per_million == pytest.approx(0.5)
    idle = Utilisation.of_task(data, dollars_per_hour=2.0)  # 600 calls of 100 tokens in 29.9 hours
    assert idle.dollars_per_million == pytest.approx(2.0 * 29.9 / 0.06)
    assert "2,007 tokens an hour on a host of 2 dollars an hour" in idle.sentence
    shared = Utilisation.of_task(data, dollars_per_hour=2.0, others=1_000_000)
    assert shared.dollars_per_million < 2.01
    assert Utilisation(0.0, 0, 1.0).dollars_per_million == 0.0
    assert Utilisation(1.0, 0, 1.0).dollars_per_million == float("inf")


@pytest.mark.parametrize("values", [(-1.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, 0.0)])
def test_no_utilisation(values: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="is no utilisation"):
        Utilisation(*values)


def test_a_task_without_calls_has_no_pace() -> None:
    task = Task("t", "t", "label", calls=0, share=0.0)
    with pytest.raises(ValueError, match="'t' has no examples"):
        Utilisation.of_task(TaskData(task, (), (), ()), 1.0)
