"""The examples of each task of a run, split, and in memory only while they are used."""

from __future__ import annotations

from collections.abc import Iterator

from conversion.dataset import Dataset
from conversion.findings import Clustered
from conversion.split import Shares, split
from conversion.task import TaskData


class TasksData:
    """Data by task, the largest task first; each is read when it is asked for."""

    def __init__(self, dataset: Dataset, clustered: Clustered, shares: Shares, per_task: int) -> None:
        self._dataset = dataset
        self._clustered = clustered
        self._shares = shares
        self._per_task = per_task

    def __iter__(self) -> Iterator[TaskData]:
        for task in self._clustered.tasks:
            yield self.of(task.id)

    def of(self, task: str) -> TaskData:
        """The data of one task; raises KeyError."""
        found = {each.id: each for each in self._clustered.tasks}[task]
        places = self._clustered.members.get(task, [])[-self._per_task :]
        return split(found, [self._dataset[place] for place in places], self._shares)
