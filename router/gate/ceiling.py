"""The ceiling: an LLM that does not agree with itself cannot be agreed with more often than that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from router.gate.checks import check_counts, check_open_share
from router.gate.clopper_pearson import upper_bound

MINIMUM_PAIRS: Final = 100
"""Calls that the LLM must have answered twice before its self-agreement may lower a target."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The agreement that an understudy is held to, and why."""

    target: float
    """What the owner asked for."""
    effective: float
    """What is tested: the target, or less where the LLM agrees with itself less often."""
    agreed: int
    pairs: int
    upper: float
    """The LLM's self-agreement is at most this, with confidence 1 - alpha; 1 while pairs are too few."""
    alpha: float

    @property
    def lowered(self) -> bool:
        """Whether the LLM's own variation lowered the target."""
        return self.effective < self.target

    @property
    def sentence(self) -> str:
        """For people: what was seen and what follows."""
        if self.lowered:
            return (
                f"the LLM agrees with itself on {self.agreed} of {self.pairs} repeated calls, at most "
                f"{self.upper:.4f}: that is the target instead of {self.target:g}"
            )
        return f"the target is {self.target:g}; {self.pairs} repeated calls give no reason to lower it"


def ceiling(
    agreed: int, pairs: int, target: float, alpha: float, minimum: int = MINIMUM_PAIRS, floor: float = 0.5
) -> Ceiling:
    """The target to certify against, given `pairs` calls that the LLM answered twice and `agreed` on.

    What is promised is agreement above min(target, s), where s is the LLM's unknown self-agreement. s is replaced by
    its upper Clopper-Pearson bound U at level `alpha`: P(U < s) <= alpha, and unless that happens
    min(target, U) >= min(target, s), so that passing the former proves the latter. The lower bound would do the
    reverse and hold an understudy to less than the LLM itself reaches. By the union bound the promise is broken with
    probability at most alpha plus the level of the test that follows.

    Fewer pairs than `minimum` leave the target alone, and nothing goes below `floor`: an LLM that contradicts itself
    half of the time gives no task worth replacing. Compute it once, on a number of pairs fixed beforehand; the
    e-processes need a target that stays."""
    check_open_share("target", target)
    check_open_share("alpha", alpha)
    check_counts(agreed, pairs)
    if minimum < 1:
        raise ValueError(f"minimum is {minimum!r}; at least 1 pair is needed to say anything")
    upper = upper_bound(agreed, pairs, alpha) if pairs >= minimum else 1.0
    return Ceiling(target, min(target, max(upper, floor)), agreed, pairs, upper, alpha)
