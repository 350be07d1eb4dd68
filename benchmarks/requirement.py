"""A figure that has to be reached, and whether it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Requirement:
    """One required figure; `figure` is None when it could not be measured, which counts as missed."""

    what: str
    figure: float | None
    bound: float
    sense: Literal["at least", "at most"] = "at least"
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure was measured and is on the right side of the bound."""
        if self.figure is None:
            return False
        return self.figure >= self.bound if self.sense == "at least" else self.figure <= self.bound

    def row(self) -> list[str]:
        """As a row of the requirements' table."""
        figure = "not measured" if self.figure is None else f"{_shown(self.figure)}{self.unit}"
        verdict = "met" if self.met else "MISSED"
        return [self.what, f"{self.sense} {_shown(self.bound)}{self.unit}", figure, verdict]


def _shown(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 or number == int(number) else f"{number:.3g}"
