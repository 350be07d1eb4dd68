"""Heads as candidates: what they suit, what they learn, and how they are told apart from what cannot be used."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from conversion.candidate import TrainingError
from conversion.example import Example
from conversion.head_training import fit
from conversion.heads import HeadCandidate, candidates
from conversion.regression import OTHER, Examples
from conversion.task import Task, TaskData
from router.gate.scorers.by_kind import Kind
from serving.encoders.ladder import Encoders
from serving.heads.head_file import ARRAYS, DESCRIPTION
from wire.answer import Answer, ToolCall

SEED = 3
WORDS = {
    "refund": "refund money back charged twice invoice",
    "delivery": "parcel delivery late courier package lost",
    "account": "password login account locked email change",
}


def texts(generator: random.Random, about: str) -> str:
    words = WORDS[about].split()
    return f"hello, my {' '.join(generator.choices(words, k=4))} please, number {generator.randrange(1000)}"


def example(number: int, text: str, answer: Answer) -> Example:
    request = {"messages": [{"role": "user", "content": text}]}
    return Example(str(number), str(number), number, "chat.completions", request, answer)


def data(
    spoken: Mapping[str, Answer], closed: Sequence[str], kind: Kind = "label", count: int = 20, other: int = 0
) -> TaskData:
    generator = random.Random(SEED)
    made = [example(n, texts(generator, name), spoken[name]) for n in range(count) for name in spoken]
    made += [example(n, "tell me a story", Answer(f"Once {n}")) for n in range(other)]
    generator.shuffle(made)
    third = len(made) // 3
    task = Task("support/label", "labels", kind, len(made), 0.5, tuple(closed))
    return TaskData(task, tuple(made[: 2 * third]), tuple(made[2 * third :]), tuple(made[2 * third :]))


LABELS = {name: Answer(name) for name in WORDS}
JSON = {name: Answer(f'{{"queue": "{name}"}}') for name in WORDS}
CALLS = {name: Answer(tool_calls=(ToolCall(name, "{}"),)) for name in WORDS}


def train(task: TaskData, folder: Path) -> tuple[float, Sequence[Answer | None]]:
    head = HeadCandidate(Encoders(), "hashed").train(task, folder, lambda _done, _all: None)
    attempts = head.answer(task.held_out)
    right = [each.answer for each in attempts]
    return min(each.confidence for each in attempts), right


@pytest.mark.parametrize(
    ("spoken", "closed", "kind"),
    [
        (LABELS, list(WORDS), "label"),
        (JSON, [f'{{"queue":"{name}"}}' for name in WORDS], "json"),
        (CALLS, [f"{name}()" for name in WORDS], "tool_call"),
    ],
)
def test_every_kind_of_closed_answer_is_learned(
    spoken: Mapping[str, Answer], closed: Sequence[str], kind: Kind, tmp_path: Path
) -> None:
    task = data(spoken, closed, kind)

    _, answers = train(task, tmp_path)

    expected = [each.answer for each in task.held_out]
    same = [
        given is not None
        and (given.text.replace(" ", ""), given.tool_calls) == (want.text.replace(" ", ""), want.tool_calls)
        for given, want in zip(answers, expected, strict=True)
    ]
    assert sum(same) / len(same) > 0.9


def test_what_is_of_no_kind_it_knows_gets_less_confidence(tmp_path: Path) -> None:
    task = data(LABELS, list(WORDS))
    head = HeadCandidate(Encoders(), "hashed").train(task, tmp_path, lambda _done, _all: None)

    known = [each.confidence for each in head.answer(task.held_out)]
    strange = [example(1, "who won the world cup in 1998?", Answer("x")), example(2, "", Answer("x"))]
    unknown = [each.confidence for each in head.answer(strange)]

    assert np.mean(known) > 0.8 > max(unknown)
    assert unknown[1] == 0
    assert head.unseen == ()


def test_a_head_comes_back_from_its_files(tmp_path: Path) -> None:
    task = data(LABELS, list(WORDS))
    candidate = HeadCandidate(Encoders(), "hashed")
    steps: list[tuple[int, int]] = []

    trained = candidate.train(task, tmp_path, lambda done, whole: steps.append((done, whole)))

    assert candidate.load(trained.files).answer(task.held_out) == trained.answer(task.held_out)
    assert sorted(each.name for each in tmp_path.iterdir()) == [DESCRIPTION, ARRAYS]
    assert steps[-1] == (len(task.training) + len(task.calibration),) * 2


@pytest.mark.parametrize("closed", [[], ["never given"]])
def test_tasks_that_a_head_does_not_suit(closed: Sequence[str], tmp_path: Path) -> None:
    task = data(LABELS, closed)
    candidate = HeadCandidate(Encoders(), "hashed")

    assert candidate.unsuited(task)
    with pytest.raises(TrainingError, match="support/label"):
        candidate.train(task, tmp_path, lambda _done, _all: None)


@pytest.mark.parametrize(("spoken", "count"), [({"refund": Answer("refund")}, 20), (LABELS, 5)])
def test_one_answer_and_few_examples_are_no_fault(
    spoken: Mapping[str, Answer], count: int, tmp_path: Path
) -> None:
    lowest, answers = train(data(spoken, list(spoken), count=count), tmp_path)

    assert 0 <= lowest <= 1
    assert all(answer is not None and answer.text in spoken for answer in answers)


def test_answers_outside_the_set_lower_the_trust(tmp_path: Path) -> None:
    task = data(LABELS, list(WORDS), other=12)
    head = HeadCandidate(Encoders(), "hashed").train(task, tmp_path, lambda _done, _all: None)

    story = head.answer([example(1, "tell me a story", Answer("x"))])[0]
    ticket = head.answer([example(1, "my parcel delivery is late, courier lost it", Answer("x"))])[0]

    assert story.confidence < ticket.confidence


@pytest.mark.parametrize("file", [DESCRIPTION, ARRAYS])
@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04 no zip"])
def test_damaged_files_are_refused_by_name(file: str, content: bytes, tmp_path: Path) -> None:
    candidate = HeadCandidate(Encoders(), "hashed")
    candidate.train(data(LABELS, list(WORDS)), tmp_path, lambda _done, _all: None)
    (tmp_path / file).write_bytes(content)

    with pytest.raises(TrainingError, match=file):
        candidate.load(tmp_path)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(TrainingError, match="cannot write"):
        train(data(LABELS, list(WORDS)), tmp_path / "file")


def test_a_task_is_suited_by_the_cheapest_encoder_that_does_as_well() -> None:
    task = data(LABELS, list(WORDS), count=40)

    reasons = {candidate.name: candidate.unsuited(task) for candidate in candidates(Encoders())}

    assert reasons.pop("heads/hashed-ngrams-4096") == ""
    assert all("heads" not in reason and "hashed-ngrams-4096 100.0%" in reason for reason in reasons.values())


def test_too_few_examples_to_compare_take_the_best_encoder() -> None:
    encoders = Encoders()

    suited = [each for each in candidates(encoders) if not each.unsuited(data(LABELS, list(WORDS), count=4))]

    assert [candidate.rung for candidate in suited] == [encoders.best]


def test_many_answers_are_taken_out_in_turn() -> None:
    generator = np.random.default_rng(SEED)
    centres = np.eye(24, 32, dtype=np.float32)
    labels = np.repeat(np.arange(24), 8).astype(np.int32)
    vectors = centres[labels] + generator.normal(0, 0.05, (len(labels), 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels[::24] = OTHER

    fitted = fit(Examples(vectors, labels), Examples(vectors, labels), 24)

    numbers, confidences = fitted.model.assess(vectors)
    assert (numbers == labels)[labels != OTHER].all()
    assert confidences[labels != OTHER].mean() > 0.8 > np.median(fitted.unseen)
