"""How long the simulated model takes: time to first token, then tokens a second."""

from __future__ import annotations

import math
from dataclasses import dataclass

from serving.endpoints.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Latency:
    """A latency profile. `speed` divides every wait; 0 means no waiting at all."""

    first_token: float = 0.45
    """Median seconds until the first token (lognormal)."""
    spread: float = 0.35
    """Standard deviation of its logarithm."""
    tokens_per_second: float = 90.0
    speed: float = 1.0

    def first(self, prompt: Prompt) -> float:
        """Seconds until the first token of this prompt's answer."""
        if not self.speed:
            return 0.0
        return prompt.rng("latency").lognormvariate(math.log(self.first_token), self.spread) / self.speed

    def per_token(self) -> float:
        """Seconds between two tokens."""
        return 1 / self.tokens_per_second / self.speed if self.speed else 0.0


NO_DELAY = Latency(speed=0)
"""Answers at once."""
