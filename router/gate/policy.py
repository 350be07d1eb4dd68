"""What an owner asks of understudies before they answer, and while they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from router.gate.checks import check_open_share

_CEILING_PART: Final = 0.2

Health = Literal["schema", "errors", "latency", "coverage"]
"""Ways in which a call that an understudy was asked can be good or bad, whatever its answer says."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The gate's settings for one task."""

    target: float = 0.95
    """Agreement to be reached: `min_agreement`, or less where the ceiling lowered it (`Ceiling.effective`)."""
    confidence: float = 0.95
    shadow_pairs: int = 50
    """Pairs that shadow must have seen at least, however clear they are."""
    canary_calls: int = 50
    """Calls to answer in each canary state before its share grows."""
    canary_audits: int = 20
    """Pairs to audit in each canary state before its share grows."""
    audit_run_length: float = 10_000
    """Audited pairs between false demotions, on average, of an understudy that just reaches the target."""
    health_run_length: float = 10_000
    """The same for calls, of an understudy whose schema failures, errors or slow answers are just allowed."""
    allowed_bad: float = 0.05
    """Share of calls that may break their schema, fail or be slow, each; the targets of `Evidence.health` follow."""
    slow_seconds: float = 1.0
    """An answer that took no longer is not slow, however quick the LLM is."""
    least_coverage: float = 0.1
    """Share of calls that an understudy has to be sure of: with fewer it makes agents wait and replaces next to nothing."""

    def __post_init__(self) -> None:
        for name in ("target", "confidence", "allowed_bad", "least_coverage"):
            check_open_share(name, getattr(self, name))

    @property
    def ceiling_alpha(self) -> float:
        """The part of 1 - confidence that measuring the ceiling may use up."""
        return (1 - self.confidence) * _CEILING_PART

    @property
    def test_alpha(self) -> float:
        """The part that is left for certification; both together keep the confidence (union bound)."""
        return (1 - self.confidence) * (1 - _CEILING_PART)

    def health_target(self, kind: Health) -> float:
        """Share of calls that have to be good in a way."""
        return self.least_coverage if kind == "coverage" else 1 - self.allowed_bad
