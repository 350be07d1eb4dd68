"""Ids that stay: today's tasks matched with yesterday's by the calls they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from conversion.cluster.clustering import Change, KnownTask
from conversion.cluster.extra import optimal_matching

_PART: Final = 0.2
"""Share of a task's calls that go elsewhere, or come from elsewhere, before it counts as split or merged."""


def matched(members: Sequence[frozenset[str]], previous: Sequence[KnownTask]) -> dict[int, str]:
    """The id of yesterday's task for each of today's that continues one: the matching that keeps most calls in place
    (Kuhn 1955)."""
    if not members or not previous:
        return {}
    shared = _shared(members, previous)
    rows, columns = optimal_matching(shared)
    return {
        row: previous[column].id for row, column in zip(rows, columns, strict=True) if shared[row, column]
    }


def changes(members: Mapping[str, frozenset[str]], previous: Sequence[KnownTask]) -> dict[str, Change]:
    """What became of tasks: `split` where much of one's calls are in several of today's, `merged` where one of today's
    has much of several."""
    ids = list(members)
    shared = _shared([members[each] for each in ids], previous)
    found: dict[str, Change] = {}
    for column, known in enumerate(previous):
        parts = shared[:, column]
        heirs = (
            [ids[row] for row in np.flatnonzero(parts >= max(1, _PART * parts.sum()))] if parts.any() else []
        )
        if len(heirs) > 1:
            found |= dict.fromkeys([known.id, *heirs], "split")
    for row, each in enumerate(ids):
        parts = shared[row]
        sizes = shared.sum(axis=0)
        sources = [column for column in np.flatnonzero(parts) if parts[column] >= (1 - _PART) * sizes[column]]
        if len(sources) > 1:
            found[each] = "merged"
    return found


def _shared(
    members: Sequence[frozenset[str]], previous: Sequence[KnownTask]
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Calls in common; shape (today's tasks, yesterday's)."""
    home = {call: column for column, known in enumerate(previous) for call in known.members}
    shared = np.zeros((len(members), len(previous)), np.int64)
    for row, calls in enumerate(members):
        for call in calls:
            if (column := home.get(call)) is not None:
                shared[row, column] += 1
    return shared
