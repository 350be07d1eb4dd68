"""A new candidate beside the one at work: it has to be better on fresh calls, and not by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from conversion.candidate import Attempted, Trained
from conversion.example import Example
from conversion.split import one_a_session
from router.gate.scorers.by_kind import Kind, scorer_for


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both on the same calls, which neither has learned from."""

    calls: int
    candidate_only: int
    """Calls that the candidate answers as the LLM did, and the incumbent does not."""
    incumbent_only: int
    alpha: float
    """Level of the test."""

    @property
    def p(self) -> float:
        """The probability of at least so many in the candidate's favour, were both equally good (sign test)."""
        differing = self.candidate_only + self.incumbent_only
        ways = (math.comb(differing, count) for count in range(self.candidate_only, differing + 1))
        return float(sum(ways) / 2**differing)

    @property
    def better(self) -> bool:
        return self.candidate_only > self.incumbent_only and self.p <= self.alpha

    @property
    def sentence(self) -> str:
        """For people."""
        verdict = "better than" if self.better else "not shown to be better than"
        return (
            f"on {self.calls} fresh calls the candidate alone is right {self.candidate_only} times, the incumbent alone "
            f"{self.incumbent_only} times (p {self.p:.3f}): {verdict} the incumbent"
        )


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two."""

    trained: Trained
    threshold: float

    def right(self, examples: Sequence[Example], kind: Kind) -> list[bool]:
        """Which calls it answers, and as the LLM did."""
        attempts = self.trained.answer(examples)
        return [
            _right(example, attempt, self.threshold, kind)
            for example, attempt in zip(examples, attempts, strict=True)
        ]


def compare(
    candidate: Side, incumbent: Side, held_out: Sequence[Example], since: int, kind: Kind, alpha: float = 0.05
) -> Comparison:
    """Hold both to the held-out calls that came after the incumbent was made, one of each session."""
    fresh = one_a_session(example for example in held_out if example.started > since)
    pairs = (
        list(zip(candidate.right(fresh, kind), incumbent.right(fresh, kind), strict=True)) if fresh else []
    )
    return Comparison(
        calls=len(fresh),
        candidate_only=sum(new and not old for new, old in pairs),
        incumbent_only=sum(old and not new for new, old in pairs),
        alpha=alpha,
    )


def _right(example: Example, attempt: Attempted, threshold: float, kind: Kind) -> bool:
    if attempt.answer is None or attempt.confidence < threshold:
        return False
    return scorer_for(kind, example.request).score(example.answer, attempt.answer).agrees
