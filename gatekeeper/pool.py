"""Trials under way: a bounded number at once for each server that is asked, their outcomes handed over in the order in
which the calls came.

The order matters: evidence is only valid when the order of pairs does not depend on how they turn out, and a slow answer
may well be a different one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gatekeeper.trier import Outcome
from store.deployments import Source, TrialRow
from store.duties import describe
from store.errors import DatabaseAway

log = logging.getLogger("understudy.gatekeeper")

AT_ONCE: Final[Mapping[Source, int]] = {"shadow": 2, "audit": 16}
"""Requests of one kind at the same time. Few in the shadow, for each engine: it also answers agents, and one core of
heads or one small GPU must not make them wait."""
WINDOW: Final = 48
"""Trials of one pool that are begun before the oldest of them has ended."""

Key = tuple[str, str]


@dataclass(slots=True)
class Pool:
    """The trials of one kind that are under way, at one engine where they are shadow trials: no engine waits for a slower
    one."""

    source: Source
    _tasks: dict[Key, tuple[TrialRow, asyncio.Task[Outcome]]] = field(default_factory=dict)
    _gate: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._gate = asyncio.Semaphore(AT_ONCE[self.source])

    @property
    def room(self) -> int:
        """How many more may be begun."""
        return max(0, WINDOW - len(self._tasks))

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, trial: TrialRow, work: Callable[[], Coroutine[Any, Any, Outcome]]) -> bool:
        """Begin a trial unless it is under way; returns whether it was begun."""
        key = (trial.understudy, trial.call_id)
        if key in self._tasks:
            return False
        self._tasks[key] = trial, asyncio.create_task(self._run(work))
        return True

    def harvest(self) -> Sequence[Outcome]:
        """The outcomes of each understudy's oldest trials, as far as these have ended."""
        return [outcome for key in self._ripe() if (outcome := _outcome(*self._tasks.pop(key))) is not None]

    def pending(self) -> Sequence[asyncio.Task[Outcome]]:
        """What has to be waited for: nothing while there is something to harvest."""
        return () if self._ripe() else [task for _, task in self._tasks.values() if not task.done()]

    async def abandon(self) -> None:
        """Stop what is under way; the trials stay in the database."""
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    def _ripe(self) -> Sequence[Key]:
        behind: set[str] = set()
        ended: list[Key] = []
        for key, (_, task) in self._tasks.items():
            if not task.done():
                behind.add(key[0])
            elif key[0] not in behind:
                ended.append(key)
        return ended

    async def _run(self, work: Callable[[], Coroutine[Any, Any, Outcome]]) -> Outcome:
        async with self._gate:
            return await work()


def _outcome(trial: TrialRow, task: asyncio.Task[Outcome]) -> Outcome | None:
    """How a trial ended; None where the database went away, after which it is made again."""
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, DatabaseAway):
        return None
    log.error("a trial of %s failed: %s", trial.understudy, describe(error), exc_info=error)
    return Outcome(trial, dropped=f"a fault of the gatekeeper ({type(error).__name__})")
