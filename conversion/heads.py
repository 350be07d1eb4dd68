"""Classification heads as candidates: for tasks whose answers come from a closed set."""

from __future__ import annotations

import importlib.util
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from conversion.candidate import Attempted, EngineKind, Progress, TrainingError
from conversion.cluster.answers import closed_answer
from conversion.example import Example
from conversion.head_training import OTHER, Examples, fit
from conversion.task import TaskData
from router.encoder import Encoder, Vectors
from router.encoders.light import WEIGHTS
from router.gate.scorers.labels import normal_label
from router.input_text import input_text
from serving.encoders.errors import EncoderError
from serving.encoders.ladder import Encoders, Rung
from serving.heads.errors import HeadError
from serving.heads.head import Head
from serving.heads.head_file import (
    ARRAYS,
    DESCRIPTION,
    FORMAT,
    Description,
    Spoken,
    array_bytes,
    description_bytes,
)
from serving.heads.model import Labels
from wire.answer import Answer, ToolCall

EXTRA: Final = "pip install 'understudy[convert]'"

_FEWEST: Final = 3
"""Examples that an answer needs to be learned."""
_BATCH: Final = 256
_DOLLARS_PER_CORE_SECOND: Final = 0.04 / 3600
_TOKENS_PER_CALL: Final = 200
_SECONDS_PER_CALL: Final[dict[Rung, float]] = {"hashed": 0.0005, "static": 0.0005, "teacher": 0.01}
"""Of one core, measured; what a head costs does not depend on tokens, so a usual call stands for them."""


def candidates(encoders: Encoders | None = None) -> Sequence[HeadCandidate]:
    """The heads worth trying: one, on the best encoder that is installed, since every candidate costs level."""
    encoders = encoders or Encoders()
    return (HeadCandidate(encoders, encoders.best),)


@dataclass(frozen=True, slots=True)
class HeadCandidate:
    """A scikit-learn classifier over the vectors of an encoder."""

    encoders: Encoders
    rung: Rung

    @property
    def name(self) -> str:
        """`heads/` and the encoder."""
        return f"heads/{self.encoders.name_of(self.rung)}"

    @property
    def engine(self) -> EngineKind:
        """The embedded head server."""
        return "heads"

    @property
    def dollars_per_million(self) -> float:
        """Of a core's time, at four cents an hour."""
        seconds = _SECONDS_PER_CALL[self.rung] * 1_000_000 / _TOKENS_PER_CALL
        return seconds * _DOLLARS_PER_CORE_SECOND

    def unsuited(self, data: TaskData) -> str:
        """A head needs scikit-learn for its training, a closed set, and examples of its answers."""
        if importlib.util.find_spec("sklearn") is None:
            return f"scikit-learn is not installed; {EXTRA}"
        if not data.task.answers:
            return "its answers do not come from a closed set"
        if not _learnable(data):
            return f"none of its answers was given {_FEWEST} times or more"
        return ""

    def train(self, data: TaskData, folder: Path, progress: Progress) -> TrainedHead:
        """Encode, fit, write; a minute for 10,000 examples, so that an interrupted training begins anew."""
        if reason := self.unsuited(data):
            raise TrainingError(f"{self.name} cannot be trained for the task {data.task.id!r}: {reason}")
        answers = _learnable(data)
        try:
            encoder = self.encoders.of_rung(self.rung)
        except EncoderError as error:
            raise TrainingError(str(error)) from error
        steps = len(data.training) + len(data.calibration)
        training = _examples(data.training, answers, encoder, lambda done: progress(done, steps))
        begun = len(data.training)
        calibration = _examples(
            data.calibration, answers, encoder, lambda done: progress(begun + done, steps)
        )
        fitted = fit(training, calibration, len(answers))
        description = Description(
            format=FORMAT,
            encoder=encoder.name,
            dimensions=encoder.dimensions,
            answers=_spoken(answers, data),
            created=int(time.time()),
            unseen=fitted.unseen,
            facts=fitted.facts,
        )
        files = {DESCRIPTION: description_bytes(description), ARRAYS: array_bytes(fitted.model.to_arrays())}
        if self.rung == "static" and self.encoders.student is not None:
            files[WEIGHTS] = self.encoders.student.to_bytes()
        _write(folder, files)
        return self.load(folder)

    def load(self, folder: Path) -> TrainedHead:
        """A head from its files."""
        try:
            head = Head.load(lambda name: (folder / name).read_bytes(), self.encoders)
        except (OSError, HeadError, EncoderError) as error:
            raise TrainingError(f"{str(folder)!r} holds no head that can be used: {error}") from error
        return TrainedHead(folder, head)


@dataclass(frozen=True, slots=True)
class TrainedHead:
    """A head after training; answers as the head server would."""

    files: Path
    head: Head

    @property
    def unseen(self) -> Sequence[float]:
        """The confidences it has for inputs of kinds that it never saw, as far as training could tell."""
        return self.head.unseen

    def answer(self, examples: Sequence[Example]) -> Sequence[Attempted]:
        """Answers to examples, in order."""
        found: list[Attempted] = []
        for start in range(0, len(examples), _BATCH):
            batch = examples[start : start + _BATCH]
            texts = [input_text(example.endpoint, example.request) for example in batch]
            for prediction in self.head.predict(texts):
                calls = (ToolCall(prediction.tool, "{}"),) if prediction.tool else ()
                finish = "tool_calls" if calls else "stop"
                found.append(Attempted(Answer(prediction.text, calls, finish), prediction.confidence))
        return found


def _learnable(data: TaskData) -> tuple[str, ...]:
    """The answers of the closed set that training has enough examples of, in the set's order."""
    given = Counter(_key(example.answer) for example in data.training)
    return tuple(answer for answer in data.task.answers if given[normal_label(answer)] >= _FEWEST)


def _key(answer: Answer) -> str | None:
    closed = closed_answer(answer)
    return None if closed is None else normal_label(closed)


def _examples(
    examples: Sequence[Example], answers: Sequence[str], encoder: Encoder, progress: Callable[[int], None]
) -> Examples:
    numbers = {normal_label(answer): number for number, answer in enumerate(answers)}
    labels = [numbers.get(_key(example.answer) or "", OTHER) for example in examples]
    vectors: list[Vectors] = [np.zeros((0, encoder.dimensions), np.float32)]
    for start in range(0, len(examples), _BATCH):
        batch = examples[start : start + _BATCH]
        vectors.append(encoder.encode([input_text(each.endpoint, each.request) for each in batch]))
        progress(min(start + _BATCH, len(examples)))
    numbered: Labels = np.array(labels, np.int32)
    return Examples(np.concatenate(vectors), numbered)


def _spoken(answers: Sequence[str], data: TaskData) -> tuple[Spoken, ...]:
    """Members of the closed set as what is said, or the tools that are called."""
    called = {_key(example.answer): example.answer.tool_calls for example in data.training}
    found = []
    for answer in answers:
        calls = called[normal_label(answer)]
        found.append(Spoken(tool=calls[0].name) if calls else Spoken(text=answer))
    return tuple(found)


def _write(folder: Path, files: dict[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise TrainingError(f"cannot write to {str(folder)!r}: {error.strerror}") from error
