"""What each part of a benchmark is given, and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.requirement import Requirement


@dataclass(frozen=True, slots=True)
class Options:
    """How thoroughly to measure, and where to leave files."""

    folder: Path
    """Temporary: configurations, databases and logs of the servers."""
    rounds: int = 3
    seconds: float = 6.0
    """Of each measurement."""
    quick: bool = False
    """For development: less of everything; the figures are not to be quoted."""
    peers: frozenset[str] | None = None
    """Names of the servers to measure; None takes all."""


@dataclass(frozen=True, slots=True)
class Part:
    """A measured part of a benchmark."""

    title: str
    text: str
    """Table and remarks, in Markdown."""
    requirements: list[Requirement] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    """Every figure behind the table, for the JSON report."""
