"""For which tasks generative models are tried at all."""

from __future__ import annotations

import statistics
from typing import Final

from conversion.task import TaskData

_OPEN_ENDED: Final = 700
"""Characters. Where half of the texts are longer, they are not the same work over and over, and their likeness to
another text says little of their worth."""


def not_generated(data: TaskData) -> str:
    """Why no generative model is tried on a task, in a sentence; empty when one is."""
    if data.task.answers:
        return "its answers come from a closed set, which a head gives at less cost"
    if data.task.kind == "text" and _usual_length(data) > _OPEN_ENDED:
        return "its answers are long free text: open-ended work, which stays with the LLM"
    return ""


def _usual_length(data: TaskData) -> float:
    return statistics.median(len(example.answer.text) for example in data.training) if data.training else 0.0
