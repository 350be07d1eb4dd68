"""A task's calls as a head sees them: vectors of what came last, and numbers of answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from conversion.cluster.answers import closed_answer
from conversion.example import Example
from conversion.regression import OTHER, Examples
from conversion.task import TaskData
from router.encoder import Encoder, Vectors
from router.gate.scorers.labels import normal_label
from router.input_text import input_text
from serving.heads.model import Labels
from wire.answer import Answer

FEWEST: Final = 3
"""Examples that an answer needs to be learned."""
BATCH: Final = 256
"""Calls that are encoded at once."""


def learnable(data: TaskData) -> tuple[str, ...]:
    """The answers of the closed set that training has enough examples of, in the set's order."""
    given = Counter(answer_key(example.answer) for example in data.training)
    return tuple(answer for answer in data.task.answers if given[normal_label(answer)] >= FEWEST)


def answer_key(answer: Answer) -> str | None:
    """What equal answers share; None for one that is not closed."""
    closed = closed_answer(answer)
    return None if closed is None else normal_label(closed)


def encoded(
    examples: Sequence[Example], answers: Sequence[str], encoder: Encoder, progress: Callable[[int], None]
) -> Examples:
    """Vectors and the numbers of the answers; `progress` is told how many are done."""
    numbers = {normal_label(answer): number for number, answer in enumerate(answers)}
    labels = [numbers.get(answer_key(example.answer) or "", OTHER) for example in examples]
    vectors: list[Vectors] = [np.zeros((0, encoder.dimensions), np.float32)]
    for start in range(0, len(examples), BATCH):
        batch = examples[start : start + BATCH]
        vectors.append(encoder.encode([input_text(each.endpoint, each.request) for each in batch]))
        progress(min(start + BATCH, len(examples)))
    numbered: Labels = np.array(labels, np.int32)
    return Examples(np.concatenate(vectors), numbered)
