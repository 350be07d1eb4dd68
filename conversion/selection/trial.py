"""What came of trying one candidate on held-out calls."""

from __future__ import annotations

import msgspec

from router.gate.clopper_pearson import Verdict, certify


class Counts(msgspec.Struct, frozen=True):
    """What was seen on the held-out calls; kept on disk, so that they are looked at once."""

    candidate: str
    held_out: int = 0
    answered: int = 0
    """Calls that it answered with a confidence of at least the threshold."""
    agreed: int = 0
    threshold: float = 0.0
    """Chosen on the calibration calls; 0 answers all."""
    tokens: int = 0
    """Read and written for all held-out calls."""
    seconds: float = 0.0
    """What answering them took."""
    curve: tuple[tuple[float, int, int], ...] = ()
    """Threshold, answered and agreed, of every threshold that could have been chosen: for the report, not for choosing."""
    failure: str = ""
    """Why it was not tried, or could not be trained; empty when it was."""


class Trial(msgspec.Struct, frozen=True):
    """A candidate's counts, and what they are worth."""

    counts: Counts
    verdict: Verdict
    dollars_per_thousand: float
    """Cost of a thousand calls of the task, at the host's real utilisation."""
    servable: bool
    """Whether the proxy can use it; few-shot prompts are tried to compare with."""

    @classmethod
    def of(
        cls,
        counts: Counts,
        *,
        target: float,
        confidence: float,
        candidates: int,
        dollars_per_million: float,
        servable: bool,
        share: float | None = None,
    ) -> Trial:
        """Judge counts; the level is divided among all candidates of the task, equally where no `share` is given."""
        verdict = certify(counts.agreed, counts.answered, target, confidence, candidates, share)
        tokens = counts.tokens / counts.held_out if counts.held_out else 0.0
        return cls(counts, verdict, dollars_per_million * tokens / 1000, servable)

    @property
    def name(self) -> str:
        """Of the candidate."""
        return self.counts.candidate

    @property
    def certified(self) -> bool:
        """Whether it reached the target, and can be used."""
        return self.verdict.certified and self.servable

    @property
    def coverage(self) -> float:
        """Share of the held-out calls that it answers."""
        return self.counts.answered / self.counts.held_out if self.counts.held_out else 0.0

    @property
    def value(self) -> float:
        """Certified agreement per dollar: calls that certainly agree, of a thousand, by what a thousand cost."""
        worth = 1000 * self.verdict.lower * self.coverage
        return worth / self.dollars_per_thousand if self.dollars_per_thousand else float("inf")

    @property
    def sentence(self) -> str:
        """For people."""
        if self.counts.failure:
            return self.counts.failure
        told = f"{self.verdict.sentence}; answers {self.coverage:.1%} of calls"
        if self.dollars_per_thousand:
            told += f" at {self.dollars_per_thousand:.4g} dollars a thousand"
        if not self.servable:
            told += "; for comparison only: the proxy puts no examples into prompts"
        return told
