"""What clustering gives: tasks, the task of each call, the recogniser, and what changed since last time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from conversion.task import Task
from router.gate.scorers.by_kind import Kind
from router.trained import TrainedRecogniser

Change = Literal["split", "merged"]


@dataclass(frozen=True, slots=True)
class KnownTask:
    """A task of the last clustering, and which of today's calls belong to it."""

    id: str
    members: Collection[str]
    """Ids of calls; the recogniser in force tells them (`members_of`)."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """What may be told of a task when a name is sought for it: no content of any call but its masked opening."""

    kind: Kind
    opening: str
    """The prompt's first sentence, values masked, words of single prompts left out."""
    tools: tuple[str, ...]
    schema: str
    answers: tuple[str, ...]
    """The most frequent answers of a closed set."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """A task as a report shows it."""

    task: Task
    sketch: Sketch
    prompts: int
    """Distinct exact keys."""
    sessions: int


@dataclass(frozen=True, slots=True)
class Clustering:
    """The result."""

    tasks: tuple[Task, ...]
    """Largest first."""
    assignment: Mapping[str, str]
    """Id of each call to id of its task; empty where it belongs to none."""
    recogniser: TrainedRecogniser
    changes: Mapping[str, Change]
    """Tasks of last time that were split, and those of today that were merged: both go back to observation."""
    portraits: tuple[Portrait, ...]
    """One for each task, in the same order."""
