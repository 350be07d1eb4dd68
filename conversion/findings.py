"""What each step of a run found; plain data, kept in the run's folder and told in the report."""

from __future__ import annotations

from typing import Any

import msgspec

from conversion.selection.trial import Trial
from conversion.task import Task
from router.gate.states import Change


class Curated(msgspec.Struct, frozen=True):
    """A data set was made."""

    dataset: str
    """Path of its artifact."""
    examples: int
    facts: dict[str, Any]


class Clustered(msgspec.Struct, frozen=True):
    """Tasks were found."""

    router: str
    """Path of its artifact."""
    version: str
    tasks: list[Task]
    members: dict[str, list[int]]
    """Places in the data set, by task."""
    unassigned: int
    changes: dict[str, Change]
    landscape: list[tuple[int, float, float]] = []
    """Place in the data set, x and y of some examples, for the cluster map."""


class Chosen(msgspec.Struct, frozen=True):
    """What is tried for one task."""

    task: str
    training: int
    calibration: int
    held_out: int
    """Calls that the gate looks at: one of each session."""
    candidates: list[str]
    unsuited: dict[str, str]
    """Why others are not tried."""
    skipped: str = ""
    """Why nothing is tried at all."""
    needs: str = ""
    """What its calls ask of a model; empty where no generative model suits it."""
    could: list[str] = []
    """Models of the catalogue that could serve it, the smallest first."""
    could_not: dict[str, list[str]] = {}
    """Why others of the catalogue cannot."""


class Selected(msgspec.Struct, frozen=True):
    """Candidates were chosen."""

    tasks: list[Chosen]


class Finetuned(msgspec.Struct, frozen=True):
    """Candidates were trained: by task and candidate, empty or what went wrong."""

    tasks: dict[str, dict[str, str]]


class Judged(msgspec.Struct, frozen=True):
    """The trials of one task, best first."""

    task: str
    target: float
    confidence: float
    trials: list[Trial]
    sentence: str
    best: str = ""
    """The candidate that is good enough; empty when none is."""


class Evaluated(msgspec.Struct, frozen=True):
    """Candidates were tested."""

    tasks: list[Judged]


class Promotion(msgspec.Struct, frozen=True):
    """What became of one task's best candidate."""

    task: str
    understudy: str = ""
    state: str = ""
    replaces: str = ""
    sentence: str = ""


class Promoted(msgspec.Struct, frozen=True):
    """The store was brought up to date."""

    tasks: list[Promotion]
    router: str
    retired: list[str]
