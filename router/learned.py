"""The seam for the learned router: it recognises a call's task and may propose an understudy for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from router.decision import Query


@dataclass(frozen=True, slots=True)
class Proposal:
    """A recognised call."""

    task: str
    """Name of the task."""
    understudy: str = ""
    """The small model that stands in for this task; empty while none does."""
    agreement: float = 0.0
    """Lower bound of its agreement with the LLM, as certified."""
    confidence: float = 0.0
    """Confidence with which that bound was shown."""


class Learned(Protocol):
    """Recognises calls in memory, within microseconds; never raises for anything a client can send."""

    def propose(self, query: Query) -> Proposal | None:
        """The call's task and understudy; None when the task is unknown."""
        ...
