"""Classification heads as candidates: for tasks whose answers come from a closed set."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conversion.candidate import Attempted, EngineKind, Progress, TrainingError
from conversion.example import Example
from conversion.head_examples import BATCH, FEWEST, answer_key, encoded, learnable
from conversion.head_training import fit
from conversion.rungs import Rungs
from conversion.task import TaskData
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
from wire.answer import Answer, ToolCall

EXTRA: Final = "pip install 'understudy[convert]'"

_DOLLARS_PER_CORE_SECOND: Final = 0.04 / 3600
_TOKENS_PER_CALL: Final = 200
_SECONDS_PER_CALL: Final[dict[Rung, float]] = {"hashed": 0.0005, "static": 0.0005, "teacher": 0.01}
"""Of one core, measured; what a head costs does not depend on tokens, so a usual call stands for them."""


def candidates(encoders: Encoders | None = None) -> Sequence[HeadCandidate]:
    """A head on each encoder that is installed; all but one say of a task that another suits it better, since every
    candidate that looks at held-out calls costs level."""
    encoders = encoders or Encoders()
    rungs = Rungs(encoders)
    return [HeadCandidate(encoders, rung, rungs) for rung in encoders.installed]


@dataclass(frozen=True, slots=True)
class HeadCandidate:
    """A scikit-learn classifier over the vectors of an encoder."""

    encoders: Encoders
    rung: Rung
    rungs: Rungs | None = None
    """Says which encoder suits a task; None takes this one for every task."""

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
        if not learnable(data):
            return f"none of its answers was given {FEWEST} times or more"
        return self._outdone(data)

    def _outdone(self, data: TaskData) -> str:
        if self.rungs is None:
            return ""
        try:
            choice = self.rungs.of(data)
        except EncoderError as error:
            return str(error)
        return "" if choice.rung == self.rung else choice.sentence

    def train(self, data: TaskData, folder: Path, progress: Progress) -> TrainedHead:
        """Encode, fit, write; a minute for 10,000 examples, so that an interrupted training begins anew."""
        if reason := self.unsuited(data):
            raise TrainingError(f"{self.name} cannot be trained for the task {data.task.id!r}: {reason}")
        answers = learnable(data)
        try:
            encoder = self.encoders.of_rung(self.rung)
        except EncoderError as error:
            raise TrainingError(str(error)) from error
        steps = len(data.training) + len(data.calibration)
        training = encoded(data.training, answers, encoder, lambda done: progress(done, steps))
        begun = len(data.training)
        calibration = encoded(data.calibration, answers, encoder, lambda done: progress(begun + done, steps))
        penalty = self.rungs.of(data).penalty if self.rungs is not None else None
        fitted = fit(training, calibration, len(answers), penalty)
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
        for start in range(0, len(examples), BATCH):
            batch = examples[start : start + BATCH]
            texts = [input_text(example.endpoint, example.request) for example in batch]
            for prediction in self.head.predict(texts):
                calls = (ToolCall(prediction.tool, "{}"),) if prediction.tool else ()
                finish = "tool_calls" if calls else "stop"
                found.append(Attempted(Answer(prediction.text, calls, finish), prediction.confidence))
        return found


def _spoken(answers: Sequence[str], data: TaskData) -> tuple[Spoken, ...]:
    """Members of the closed set as what is said, or the tools that are called."""
    called = {answer_key(example.answer): example.answer.tool_calls for example in data.training}
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
