"""What is wrong with a configuration file: where, which value, why, and what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

VALUE_LENGTH: Final = 120
"""Characters of a bad value that are shown."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `str()` is the line that people read."""

    file: str
    """Empty when the settings came from no file."""
    line: int
    column: int
    """Counted from 1; 0 when there is no place to point to."""
    path: str
    """Such as `rules[2].route`; empty for the file as a whole."""
    value: str
    """The value as Python writes it, secrets masked; empty when something is missing."""
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        told = f"{self.value} {self.message}" if self.value else self.message
        told = f"{told}; {self.remedy}" if self.remedy else told
        return ": ".join(part for part in (place, self.path, told) if part)


class ConfigError(Exception):
    """A configuration that cannot be used, with all its problems in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))
        super().__init__("\n".join(map(str, self.problems)))
