"""Candidates at the seam: a naive Bayes classifier, and ones that fail in the ways that training fails."""

from __future__ import annotations

import errno
import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from conversion.candidate import Attempted, Progress, TrainingError
from conversion.example import Example
from conversion.task import TaskData
from wire import shape
from wire.answer import Answer

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class WordVotes:
    """A trained classifier of labels by their words."""

    files: Path
    counts: dict[str, dict[str, int]]

    @property
    def unseen(self) -> Sequence[float]:
        return ()

    def answer(self, examples: Sequence[Example]) -> Sequence[Attempted]:
        return [self._one(example) for example in examples]

    def _one(self, example: Example) -> Attempted:
        words = _words(example)
        logs = {label: self._log(label, words) for label in self.counts}
        best = max(logs, key=lambda label: logs[label])
        sure = 1 / sum(math.exp(log - logs[best]) for log in logs.values())
        return Attempted(Answer(best, finish_reason="stop"), min(sure, 1.0))

    def _log(self, label: str, words: set[str]) -> float:
        seen = self.counts[label]
        whole = seen[""]
        return math.log(whole) + sum(math.log((seen.get(word, 0) + 0.1) / (whole + 1)) for word in words)


@dataclass
class Bayes:
    """Naive Bayes on the words of the user's text; for tasks of kind label."""

    name: str = "bayes"
    engine: Literal["heads", "vllm"] = "heads"
    dollars_per_million: float = 0.01
    fault: Callable[[], None] = lambda: None
    """Called before anything is written."""
    trainings: list[str] = field(default_factory=list)
    """Tasks that were really trained."""

    def unsuited(self, data: TaskData) -> str:
        return "" if data.task.kind == "label" else "its answers are open"

    def train(self, data: TaskData, folder: Path, progress: Progress) -> WordVotes:
        place = folder / "votes.json"
        if not place.exists():
            self.fault()
            self.trainings.append(data.task.id)
            counts: dict[str, Counter[str]] = {}
            for example in data.training:
                counts.setdefault(example.answer.text, Counter()).update({*_words(example), ""})
            folder.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(counts))
        progress(1, 1)
        return self.load(folder)

    def load(self, folder: Path) -> WordVotes:
        try:
            return WordVotes(folder, json.loads((folder / "votes.json").read_text()))
        except (OSError, ValueError) as error:
            raise TrainingError(f"cannot read {str(folder)!r}") from error


def disk_full() -> None:
    """What writing to a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "votes.json")


def no_memory() -> None:
    """What a candidate says when its training cannot be done."""
    raise TrainingError("the model needs 14 GiB of memory and 2 are free; choose a smaller base")


def _words(example: Example) -> set[str]:
    return set(_WORD.findall(shape.last_user_text(example.endpoint, example.request).lower()))
