"""The learned router: a recogniser says which task a call belongs to, the gate which understudies the task has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from router.decision import Query
from router.learned import Proposal
from router.read import Reading
from router.recognition import Recogniser
from router.share import position


class LearnedRouter:
    """Proposes the understudy of a call's task; satisfies Learned.

    `deployed` are the understudies in the order in which they came; their tasks need not be known to the recogniser.
    Of several for one task the one with the largest share answers, and newer ones that are still being tried take
    their share of sessions from it."""

    def __init__(self, recogniser: Recogniser, deployed: Iterable[Proposal]) -> None:
        self.recogniser = recogniser
        self._by_task = _by_task(deployed)

    def propose(self, query: Query) -> Proposal | None:
        """The call's task and understudy; None when the task is unknown."""
        recognition = self.recogniser.recognise(query)
        if recognition is None:
            return None
        proposals = self._by_task.get(recognition.task)
        if proposals is None:
            return Proposal(recognition.task)
        return proposals[0] if len(proposals) == 1 else _chosen(query, proposals)


def _by_task(deployed: Iterable[Proposal]) -> Mapping[str, Sequence[Proposal]]:
    """The understudies that may be proposed for each task: the one that answers last, before it those on trial."""
    found: dict[str, list[Proposal]] = defaultdict(list)
    for proposal in deployed:
        found[proposal.task].append(proposal)
    return {task: _on_trial(proposals) for task, proposals in found.items()}


def _on_trial(proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    largest = max(proposal.share for proposal in proposals)
    newest_first = proposals[::-1]
    incumbent = next(proposal for proposal in newest_first if proposal.share == largest)
    newer = newest_first[: newest_first.index(incumbent)]
    return (*(proposal for proposal in newer if proposal.share > 0), incumbent)


def _chosen(query: Query, proposals: Sequence[Proposal]) -> Proposal:
    reading = Reading(query)
    *trials, incumbent = proposals
    return next(
        (trial for trial in trials if position(reading, trial.understudy) < trial.share),
        incumbent,
    )
