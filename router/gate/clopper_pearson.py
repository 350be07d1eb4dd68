"""Exact binomial bounds (Clopper and Pearson, Biometrika 26, 1934), and the offline gate built on them."""

from __future__ import annotations

from dataclasses import dataclass

from router.gate.checks import check_counts, check_open_share
from router.gate.incomplete_beta import beta_quantile


@dataclass(frozen=True, slots=True)
class Verdict:
    """What held-out pairs say about one candidate."""

    certified: bool
    successes: int
    trials: int
    target: float
    lower: float
    """The candidate's agreement is at least this, with the stated confidence in all candidates together."""
    confidence: float
    candidates: int
    share: float | None = None
    """Its part of the level; None is one of `candidates` equal parts."""

    @property
    def sentence(self) -> str:
        """For people: what was seen and what follows."""
        word = "reaches" if self.certified else "does not reach"
        shared = f" shared by {self.candidates} candidates" if self.candidates > 1 else ""
        if self.share is not None and self.candidates > 1:
            shared += f", {self.share:.1%} of the level for this one"
        return (
            f"{self.successes} of {self.trials} held-out pairs agree: the lower bound {self.lower:.4f} "
            f"(confidence {self.confidence:g}{shared}) {word} {self.target:g}"
        )


def lower_bound(successes: int, trials: int, alpha: float) -> float:
    """The p below which `successes` or more of `trials` would be seen with probability at most `alpha`."""
    check_counts(successes, trials)
    check_open_share("alpha", alpha)
    return 0.0 if successes == 0 else beta_quantile(successes, trials - successes + 1, alpha)


def upper_bound(successes: int, trials: int, alpha: float) -> float:
    """The p above which `successes` or fewer of `trials` would be seen with probability at most `alpha`."""
    return 1 - lower_bound(trials - successes, trials, alpha)


def certify(
    successes: int,
    trials: int,
    target: float,
    confidence: float,
    candidates: int = 1,
    share: float | None = None,
) -> Verdict:
    """Whether held-out pairs show that a candidate agrees with the LLM at least as often as `target`.

    `candidates` is how many were tried on these pairs, those that failed included. The level 1 - confidence is divided
    among them (Bonferroni), so that with this confidence *no* candidate that falls short is certified, however many
    were tried and however alike they are. `share` is this candidate's part of the level where it is not divided equally;
    the parts have to be settled before anyone looks at these pairs, and may not exceed 1 together. Fix the pairs beforehand and look once; what is looked at again and again
    belongs to `certification`."""
    check_open_share("target", target)
    check_open_share("confidence", confidence)
    if candidates < 1:
        raise ValueError(f"candidates is {candidates!r}; count every candidate that was tried, at least 1")
    if share is not None and not 0 < share <= 1:
        raise ValueError(f"share is {share!r}; it is a part of the level, above 0 and at most 1")
    lower = lower_bound(successes, trials, (1 - confidence) * (1 / candidates if share is None else share))
    return Verdict(lower >= target, successes, trials, target, lower, confidence, candidates, share)
