"""Where an understudy stands on its way to live traffic, and what moves it. Every move carries its evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from router.gate.certification import Certification
from router.gate.clopper_pearson import Verdict
from router.gate.fall import FallDetector
from router.gate.policy import Health, Policy

State = Literal["observe", "shadow", "canary5", "canary25", "live", "demoted"]
Change = Literal["split", "merged"]

SHARES: Final[Mapping[State, float]] = {
    "observe": 0.0,
    "shadow": 0.0,
    "canary5": 0.05,
    "canary25": 0.25,
    "live": 1.0,
    "demoted": 0.0,
}
"""Share of sessions that an understudy in a state answers; the place of a session is `router.share.position`."""

_HEALTH: Final[Mapping[Health, str]] = {
    "schema": "answers that broke their schema",
    "errors": "errors",
    "latency": "slow answers",
    "coverage": "calls that it was not sure of",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one (task, understudy) pair."""

    offline: Verdict | None = None
    """The held-out verdict; None before the evaluation."""
    certification: Certification | None = None
    """Over shadow and audit pairs; None before the first pair."""
    audit: FallDetector | None = None
    """Over audit pairs, and shadow pairs too, so that a hopeless candidate leaves shadow; None before the first."""
    health: Mapping[Health, FallDetector] = field(default_factory=dict)
    """Over calls that went to the understudy; good means kept its schema, gave no error, was quick, was sure."""
    served: int = 0
    """Calls answered since the present state began."""
    audited: int = 0
    """Pairs audited since the present state began."""
    change: Change | None = None
    """What re-clustering did to the task since the present state began."""


@dataclass(frozen=True, slots=True)
class Move:
    """One move from state to state, fit for a database row."""

    before: State
    after: State
    rule: str
    """Short name of what decided, such as `certified` or `fall`."""
    numbers: Mapping[str, Any]
    """The figures it was decided on: numbers and strings only."""
    sentence: str
    """The same for people."""

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "before": self.before,
            "after": self.after,
            "rule": self.rule,
            "numbers": dict(self.numbers),
            "sentence": self.sentence,
        }


def advance(state: State, evidence: Evidence, policy: Policy) -> Move | None:
    """The move that the evidence calls for, or None to stay.

    Demotion goes before promotion. Nothing leads out of `demoted`: what comes back is a new candidate, which begins at
    `observe` with evidence of its own. A split or merged task is another task, so it goes back to `observe` too, and
    whoever stores the move drops the old evidence.

    Raises ValueError when evidence was gathered for another target than the policy's: it would prove something else."""
    _check_targets(evidence, policy)
    if state == "demoted":
        return None
    if evidence.change and state != "observe":
        numbers = {"change": evidence.change}
        return Move(state, "observe", "changed", numbers, f"the task was {evidence.change}: observed anew")
    for trigger in _demotions(state, evidence, policy):
        return trigger
    step = _STEPS.get(state)
    return step(evidence, policy) if step else None


def _check_targets(evidence: Evidence, policy: Policy) -> None:
    pairs = (("certification", evidence.certification), ("audit", evidence.audit))
    held: list[tuple[str, float, float]]
    held = [(name, state.target, policy.target) for name, state in pairs if state is not None]
    held += [(name, watch.target, policy.health_target(name)) for name, watch in evidence.health.items()]
    for name, target, asked in held:
        if abs(target - asked) > 1e-9:
            raise ValueError(
                f"{name} was gathered for target {target!r}, the policy's is {asked!r}; start it afresh"
            )


def _demotions(state: State, evidence: Evidence, policy: Policy) -> Iterator[Move]:
    if state == "observe":
        return
    if evidence.audit is not None and evidence.audit.fallen(policy.audit_run_length):
        yield _fall(state, "fall", "audited pairs that disagree", evidence.audit, policy.audit_run_length)
    for name, what in _HEALTH.items():
        watch = evidence.health.get(name)
        if watch is not None and watch.fallen(policy.health_run_length):
            yield _fall(state, name, what, watch, policy.health_run_length)


def _fall(state: State, rule: str, what: str, watch: FallDetector, run_length: float) -> Move:
    numbers = {
        "target": watch.target,
        "seen": watch.pairs,
        "bad": watch.bad,
        "evidence": watch.peak,
        "needed": run_length,
    }
    sentence = (
        f"too many {what}: {watch.bad} of {watch.pairs} in all, lately more than {1 - watch.target:.3g} allows "
        f"(evidence {watch.peak:,.0f}, {run_length:,.0f} demotes)"
    )
    return Move(state, "demoted", rule, numbers, sentence)


def _to_shadow(evidence: Evidence, policy: Policy) -> Move | None:
    verdict = evidence.offline
    if verdict is None or not verdict.certified:
        return None
    if verdict.target < policy.target or verdict.confidence < policy.confidence:
        return None
    numbers = {
        "agreed": verdict.successes,
        "pairs": verdict.trials,
        "lower": verdict.lower,
        "target": verdict.target,
        "confidence": verdict.confidence,
        "candidates": verdict.candidates,
    } | ({} if verdict.share is None else {"share": verdict.share})
    return Move("observe", "shadow", "offline", numbers, verdict.sentence)


def _to_canary(evidence: Evidence, policy: Policy) -> Move | None:
    test = evidence.certification
    if test is None or test.pairs < policy.shadow_pairs or not test.certified(policy.test_alpha):
        return None
    numbers = {
        "agreed": test.agreed,
        "pairs": test.pairs,
        "target": test.target,
        "log_e": test.peak,
        "alpha": policy.test_alpha,
    }
    sentence = (
        f"{test.agreed} of {test.pairs} pairs agree: more than {test.target:.4g} is established "
        f"(log evidence {test.peak:.2f}, wrong with probability at most {policy.test_alpha:g})"
    )
    return Move("shadow", "canary5", "certified", numbers, sentence)


def _widen(before: State, after: State) -> Callable[[Evidence, Policy], Move | None]:
    """A step that needs nothing but enough calls and audited pairs without an alarm."""

    def step(evidence: Evidence, policy: Policy) -> Move | None:
        if evidence.served < policy.canary_calls or evidence.audited < policy.canary_audits:
            return None
        numbers = {"served": evidence.served, "audited": evidence.audited, "share": SHARES[after]}
        sentence = (
            f"{evidence.served} calls answered and {evidence.audited} audited without alarm: "
            f"{SHARES[after]:.0%} of sessions"
        )
        return Move(before, after, "steady", numbers, sentence)

    return step


_STEPS: Final[Mapping[State, Callable[[Evidence, Policy], Move | None]]] = {
    "observe": _to_shadow,
    "shadow": _to_canary,
    "canary5": _widen("canary5", "canary25"),
    "canary25": _widen("canary25", "live"),
}
