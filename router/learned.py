"""The seam for the learned router: it recognises a call's task and may propose an understudy for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from router.decision import Query
from router.gate.states import State


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
    state: State = "live"
    """How far the gate lets it go."""
    share: float = 1.0
    """Of sessions that it may answer, by the gate; a session's place is `router.share.position` with its name."""
    threshold: float = 0.0
    """It answers when its confidence is at least this."""


class Learned(Protocol):
    """Recognises calls in memory, within microseconds; never raises for anything a client can send."""

    def propose(self, query: Query) -> Proposal | None:
        """The call's task and understudy; None when the task is unknown."""
        ...
