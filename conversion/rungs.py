"""Which rung of the encoders' ladder a task's head stands on: the cheapest that is as good as the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from conversion.head_examples import encoded, learnable
from conversion.regression import Penalty, Validated, validated
from conversion.task import TaskData
from serving.encoders.ladder import Encoders, Rung

_LITTLE_TO_WIN: Final = 0.97
"""Accuracy from which on dearer encoders are not tried."""
_COMPARED: Final = 2_000
"""Training calls that rungs are compared on, at most."""


@dataclass(frozen=True, slots=True)
class RungChoice:
    """A rung, and why it was taken."""

    rung: Rung
    sentence: str
    penalty: Penalty | None = None
    """The one that does best on that rung; None where none was tried."""


class Rungs:
    """Compares the encoders that are installed on training calls of a task; remembers what it found.

    Nothing is compared on calibration or held-out calls, so that one candidate looks at them and pays for one. Raises
    EncoderError where an encoder cannot be loaded."""

    def __init__(self, encoders: Encoders) -> None:
        self._encoders = encoders
        self._known: dict[tuple[str, ...], RungChoice] = {}

    def of(self, data: TaskData) -> RungChoice:
        """The rung for a task whose answers can be learned."""
        key = (data.task.id, *(example.call_id for example in data.training))
        if key not in self._known:
            self._known[key] = self._compared(data)
        return self._known[key]

    def _compared(self, data: TaskData) -> RungChoice:
        found: dict[Rung, Validated] = {}
        for rung in self._encoders.installed:
            if rung == self._encoders.best and not found:
                break
            found[rung] = self._validated(rung, data)
            if not found[rung].examples or found[rung].accuracy >= _LITTLE_TO_WIN:
                break
        return self._chosen(found)

    def _validated(self, rung: Rung, data: TaskData) -> Validated:
        answers = learnable(data)
        newest = data.training[-_COMPARED:]
        encoder = self._encoders.of_rung(rung)
        return validated(encoded(newest, answers, encoder, lambda _: None), len(answers))

    def _chosen(self, found: dict[Rung, Validated]) -> RungChoice:
        """By the rule of one standard error: what is cheaper wins unless it is clearly worse."""
        if not found or not all(each.examples for each in found.values()):
            best = self._encoders.best
            return RungChoice(best, f"{self._encoders.name_of(best)} is the best encoder that is installed")
        highest = max(found.values(), key=lambda each: each.accuracy)
        enough = highest.accuracy - highest.error
        rung = next(rung for rung, each in found.items() if each.accuracy >= enough)
        told = ", ".join(f"{self._encoders.name_of(each)} {found[each].accuracy:.1%}" for each in found)
        name = self._encoders.name_of(rung)
        return RungChoice(
            rung, f"{name} does as well on training calls, in cross-validation: {told}", found[rung].penalty
        )
