"""What is known of one understudy: the gate's evidence and what leads up to it. Values only; kept as JSON in its row."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

import msgspec

from router.gate.ceiling import MINIMUM_PAIRS, ceiling
from router.gate.certification import Certification
from router.gate.clopper_pearson import Verdict
from router.gate.fall import FallDetector
from router.gate.policy import Health, Policy
from router.gate.states import Evidence, Move

_KINDS: Final[tuple[Health, ...]] = get_args(Health)
_MEMORY: Final = 0.05
"""Weight of the latest call in the LLM's usual duration."""
_SLOWER: Final = 3.0
"""An answer is slow when it took this many times as long as the LLM's usually do, and as long as the policy says."""


class _Stored(msgspec.Struct):
    asked: float
    target: float
    certification: dict[str, Any] | None = None
    audit: dict[str, Any] | None = None
    health: dict[Health, dict[str, Any]] = {}
    served: int = 0
    audited: int = 0
    abstained: int = 0
    repeats: int = 0
    repeats_agreed: int = 0
    ceiling: str = ""
    llm_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Known:
    """One understudy's evidence, for the agreement that was asked when it was gathered."""

    asked: float
    """Agreement that the owner asks."""
    evidence: Evidence
    target: float
    """What is tested: `asked`, or less where the LLM does not agree with itself that often."""
    abstained: int = 0
    """Calls that the understudy was not sure enough of, or gave no usable answer to: the agent got or gets the LLM's."""
    repeats: int = 0
    """Calls that the LLM answered before in the very same words of the request."""
    repeats_agreed: int = 0
    ceiling: str = ""
    """What the repeats led to, for people; empty before there were enough."""
    llm_seconds: float = 0.0
    """How long the LLM usually takes for this task; 0 before the first call."""

    @classmethod
    def fresh(cls, policy: Policy, offline: Verdict | None) -> Known:
        return cls(policy.target, Evidence(offline=offline), policy.target)

    def held_to(self, policy: Policy) -> Policy:
        """The policy with the target that the evidence is gathered for."""
        return dataclasses.replace(policy, target=self.target)

    def after_pair(self, agreed: bool | None, *, audit: bool) -> Known:
        """After one more pair; None is an abstention, which proves nothing either way."""
        if agreed is None:
            return dataclasses.replace(self, abstained=self.abstained + 1)
        held = self.evidence
        return self._with(
            certification=(held.certification or Certification(self.target)).after(agreed),
            audit=(held.audit or FallDetector(self.target)).after(agreed),
            audited=held.audited + audit,
        )

    def after_health(self, policy: Policy, **good: bool) -> Known:
        """After a call that went to the understudy: `schema`, `errors`, `latency`, `coverage` say what was good."""
        health = dict(self.evidence.health)
        for kind in _KINDS:
            if kind in good:
                watch = health.get(kind) or FallDetector(policy.health_target(kind))
                health[kind] = watch.after(good[kind])
        return self._with(health=health)

    def after_served(self, seconds: float, policy: Policy) -> Known:
        """After an answer that an agent received."""
        slow = self.llm_seconds > 0 and seconds > max(policy.slow_seconds, _SLOWER * self.llm_seconds)
        watched = self.after_health(policy, schema=True, errors=True, latency=not slow, coverage=True)
        return watched._with(served=watched.evidence.served + 1)

    def after_llm(self, seconds: float) -> Known:
        """After an answer of the LLM to a call of the task."""
        usual = self.llm_seconds or seconds
        return dataclasses.replace(self, llm_seconds=usual + _MEMORY * (seconds - usual))

    def after_repeat(self, agreed: bool, policy: Policy) -> Known:
        """After a request that the LLM had answered before. The ceiling is computed once, at a number of repeats that
        was fixed beforehand; where it lowers the target, evidence is gathered anew."""
        if self.repeats >= MINIMUM_PAIRS:
            return self
        counted = dataclasses.replace(
            self, repeats=self.repeats + 1, repeats_agreed=self.repeats_agreed + agreed
        )
        if counted.repeats < MINIMUM_PAIRS:
            return counted
        found = ceiling(counted.repeats_agreed, counted.repeats, self.asked, policy.ceiling_alpha)
        told = dataclasses.replace(counted, ceiling=found.sentence)
        return told.tested_at(found.effective) if found.lowered else told

    def tested_at(self, target: float) -> Known:
        """With the pairs' evidence gathered anew, for another target."""
        return dataclasses.replace(self, target=target)._with(certification=None, audit=None, audited=0)

    def after_move(self, move: Move) -> Known:
        """At the beginning of another state."""
        if move.after == "observe":
            return Known(self.asked, Evidence(), self.asked, llm_seconds=self.llm_seconds)
        return self._with(served=0, audited=0)

    def certified(self, policy: Policy) -> bool:
        """Whether the agreement asked for is established on live calls."""
        test = self.evidence.certification
        return test is not None and test.certified(policy.test_alpha)

    def _with(self, **changes: Any) -> Known:
        return dataclasses.replace(self, evidence=dataclasses.replace(self.evidence, **changes))

    def encode(self) -> bytes:
        """As the deployment's row keeps it."""
        held = self.evidence
        return msgspec.json.encode(
            _Stored(
                asked=self.asked,
                target=self.target,
                certification=held.certification.to_dict() if held.certification else None,
                audit=held.audit.to_dict() if held.audit else None,
                health={kind: watch.to_dict() for kind, watch in held.health.items()},
                served=held.served,
                audited=held.audited,
                abstained=self.abstained,
                repeats=self.repeats,
                repeats_agreed=self.repeats_agreed,
                ceiling=self.ceiling,
                llm_seconds=self.llm_seconds,
            )
        )

    @classmethod
    def decode(cls, data: bytes, offline: Verdict | None) -> Known:
        """Read what encode() wrote; raises ValueError for anything else."""
        try:
            kept = msgspec.json.decode(data, type=_Stored)
        except msgspec.MsgspecError as error:
            raise ValueError(f"the stored evidence is damaged: {error}") from error
        certification = Certification.from_dict(kept.certification) if kept.certification else None
        audit = FallDetector.from_dict(kept.audit) if kept.audit else None
        evidence = Evidence(
            offline=offline,
            certification=certification,
            audit=audit,
            health={kind: FallDetector.from_dict(watch) for kind, watch in kept.health.items()},
            served=kept.served,
            audited=kept.audited,
        )
        return cls(
            kept.asked,
            evidence,
            kept.target,
            kept.abstained,
            kept.repeats,
            kept.repeats_agreed,
            kept.ceiling,
            kept.llm_seconds,
        )


def verdict_of(offline: Mapping[str, Any]) -> Verdict | None:
    """The held-out verdict as a deployment's row keeps it; None where it holds none."""
    try:
        return msgspec.convert(offline, type=Verdict)
    except msgspec.ValidationError:
        return None
