"""The seam for recognition: which task a call belongs to, known from the request alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from router.decision import Query

How = Literal["fingerprint", "near", "classifier"]


@dataclass(frozen=True, slots=True)
class Recognition:
    """A call that belongs to a known task."""

    task: str
    """Id of the task."""
    how: How
    """`fingerprint`: the same prompt as before; `near`: almost; `classifier`: told apart inside a broad prompt."""
    confidence: float = 1.0


class Recogniser(Protocol):
    """Recognises calls in memory; never raises for anything a client can send."""

    @property
    def version(self) -> str:
        """Names the training run it comes from; empty when nothing was learned yet."""
        ...

    def recognise(self, query: Query) -> Recognition | None:
        """The task of a call; None when it is not known, which means upstream."""
        ...
