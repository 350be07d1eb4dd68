"""Refinement (paper S6): whether what was learned still fits the traffic, or is to be learned anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from conversion.findings import Clustered, Curated
from conversion.run import Run
from conversion.surroundings import Stores
from store.calls import CallSummary, Filters

_LOOKED_AT: Final = 10_000
"""Fresh calls that are counted at most, the newest."""


@dataclass(frozen=True, slots=True)
class Triggers:
    """What calls for a new conversion."""

    first: int = 100
    """Routable calls before the first one."""
    growth: float = 0.5
    """New calls, as a part of those learned from."""
    fresh: int = 200
    """New calls before drift is spoken of."""
    shift: float = 0.2
    """Share of calls that went over to other tasks (total variation distance)."""
    unknown: float = 0.1
    """Growth of the share of calls that belong to no task."""


@dataclass(frozen=True, slots=True)
class Refinement:
    """The decision, and what it rests on."""

    reasons: tuple[str, ...]
    """Why to convert anew; none is not to."""
    fresh: int
    """Routable calls since the last data set."""
    shift: float = 0.0
    unknown: float = 0.0
    """Share of fresh calls that belong to no task."""
    demoted: tuple[str, ...] = ()

    @property
    def due(self) -> bool:
        return bool(self.reasons)

    @property
    def sentence(self) -> str:
        """For people."""
        if self.due:
            return "; ".join(self.reasons)
        return (
            f"nothing calls for a new conversion: {self.fresh:,} new calls, tasks shifted by {self.shift:.0%}"
        )


def decide(stores: Stores, last: Run | None, triggers: Triggers = Triggers()) -> Refinement:
    """Whether there is enough new data, or drift in tasks, in rejection or in agreement. Raises DatabaseAway."""
    if last is not None and not last.finished:
        return Refinement((f"run {last.name} was interrupted",), 0)
    curated = last.result("curate", Curated) if last is not None else None
    clustered = last.result("cluster", Clustered) if last is not None else None
    if curated is None or clustered is None:
        calls = _fresh(stores, None)
        enough = len(calls) >= triggers.first
        return Refinement((f"{len(calls):,} calls and no conversion yet",) if enough else (), len(calls))
    newest = int(curated.facts["newest"] or 0)
    calls = [call for call in _fresh(stores, newest) if call.started > newest]
    demoted = _demoted(stores, newest)
    shift, unknown = _drift(calls, clustered)
    return Refinement(
        tuple(
            _reasons(
                len(calls), curated.examples, shift, unknown - _share_unknown(clustered), demoted, triggers
            )
        ),
        len(calls),
        shift,
        unknown,
        demoted,
    )


def _reasons(
    fresh: int, known: int, shift: float, more_unknown: float, demoted: Sequence[str], triggers: Triggers
) -> list[str]:
    reasons = []
    if fresh >= max(triggers.first, triggers.growth * known):
        reasons.append(f"{fresh:,} new calls beside {known:,} learned from")
    if fresh >= triggers.fresh:
        if shift >= triggers.shift:
            reasons.append(f"{shift:.0%} of calls went over to other tasks")
        if more_unknown >= triggers.unknown:
            reasons.append(f"{more_unknown:.0%} more of the calls belong to no task")
        if demoted:
            reasons.append(f"demoted since: {', '.join(demoted)}")
    return reasons


def _fresh(stores: Stores, since: int | None) -> list[CallSummary]:
    page = stores.calls.list(Filters(since=since, limit=_LOOKED_AT))
    return [call for call in page if call.endpoint != "other" and call.status == 200]


def _drift(calls: Sequence[CallSummary], clustered: Clustered) -> tuple[float, float]:
    """Distance between former and present shares of tasks, and the present share of calls of no task.

    Calls from before the router was in force carry no task; when none does, nothing can be said."""
    counts = Counter(call.task for call in calls)
    known = {task.id: task.share for task in clustered.tasks}
    recognised = sum(counts[task] for task in known)
    if not recognised:
        return 0.0, _share_unknown(clustered)
    whole = sum(known.values()) or 1.0
    shift = 0.5 * sum(abs(counts[task] / recognised - share / whole) for task, share in known.items())
    return shift, 1 - recognised / len(calls)


def _share_unknown(clustered: Clustered) -> float:
    assigned = sum(map(len, clustered.members.values()))
    return clustered.unassigned / max(1, clustered.unassigned + assigned)


def _demoted(stores: Stores, since: int) -> tuple[str, ...]:
    """Understudies whose agreement fell since."""
    return tuple(
        row.understudy
        for row in stores.deployments.list()
        if row.state == "demoted"
        and any(
            move.after == "demoted" and move.at > since for move in stores.deployments.moves(row.understudy)
        )
    )
