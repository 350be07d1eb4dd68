"""The seam for clustering: examples go in, tasks and what recognises them come out (paper S3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from conversion.candidate import Progress
from conversion.example import Example
from conversion.task import Task
from router.gate.states import Change
from store.artifacts import Artifact


class Clustering(Protocol):
    """What was found."""

    @property
    def tasks(self) -> Sequence[Task]: ...

    @property
    def assigned(self) -> Sequence[str | None]:
        """The task of each example, in their order; None where it belongs to none."""
        ...

    @property
    def changes(self) -> Mapping[str, Change]:
        """Former tasks that are others now, by id."""
        ...

    def save(self, folder: Path) -> None:
        """Write what recognises the tasks, as workers load it."""
        ...


class Cluster(Protocol):
    """Finds tasks."""

    def __call__(
        self, examples: Sequence[Example], in_force: Artifact | None, progress: Progress
    ) -> Clustering:
        """Tasks of the examples; those that the router in force knows keep their ids."""
        ...
