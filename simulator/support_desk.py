"""The support-desk scenario (work in progress: answers in form only)."""

from __future__ import annotations

from simulator.brain import Answer, Prompt
from simulator.general import GeneralBrain


class SupportDesk:
    """Plays the model of a support-desk agent."""

    def __init__(self, *, seed: int = 0, noise: float = 0.01, repeatable: bool = True) -> None:
        self._general = GeneralBrain()

    def answer(self, prompt: Prompt, index: int = 0) -> Answer:
        """Answers anything."""
        return self._general.answer(prompt, index)
