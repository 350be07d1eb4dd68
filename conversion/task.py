"""A task: a cluster of calls that do the same job, and the part of the log that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass

from conversion.example import Example
from router.gate.scorers.by_kind import Kind


@dataclass(frozen=True, slots=True)
class Task:
    """What is known of one task."""

    id: str
    """Readable, and the same for as long as the task lives; it stands in records, headers and rules."""
    title: str
    """One line for people: tool or schema name and top terms."""
    kind: Kind
    """What its answers are; decides scorer and candidates."""
    calls: int
    """Calls it has in the curated log."""
    share: float
    """Of all routable calls in the curated log."""
    answers: tuple[str, ...] = ()
    """The closed set of answers, most frequent first; empty when the answers are open."""


@dataclass(frozen=True, slots=True)
class TaskData:
    """The examples of one task, split by session and by time: training is oldest, held-out is newest."""

    task: Task
    training: tuple[Example, ...]
    calibration: tuple[Example, ...]
    """For thresholds and early stopping."""
    held_out: tuple[Example, ...]
    """For the gate alone: looked at once."""
