"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    check: str
    """What was looked at, such as `database`."""
    level: Level
    """`problem`: something does not work. `warning`: it works, and may not for long."""
    text: str
    remedy: str = ""
    """What to do; empty where nothing needs doing."""


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", text)


def warning(check: str, text: str, remedy: str) -> Finding:
    """It works, and may not for long."""
    return Finding(check, "warning", text, remedy)


def problem(check: str, text: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(check, "problem", text, remedy)
