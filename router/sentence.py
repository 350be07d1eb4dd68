"""A call's route in one sentence, the same in the response header, in the log and on every page.

It says which rule took the call, as which task, what the evidence is, and why the call did not go the other way. The
reason is decided by the router and recorded; what became of an understudy that was asked is added here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from router.decision import Route
from router.learned import Proposal
from router.rule import Rule

_DECLINED: Final = {
    "confidence": "was less sure of its answer than the gate asks",
    "breaker_open": "was not asked, because its engine keeps failing",
    "no_engine": "has no engine to answer on",
    "model_missing": "is not loaded on its engine",
    "timeout": "did not answer in time",
    "status": "was answered for with an error by its engine",
    "malformed": "broke the form that the call asks for",
}
"""What became of an understudy that did not answer, by the cause in the record."""


def sentence(
    route: Route,
    rule: str,
    reason: str,
    *,
    task: str = "",
    understudy: str = "",
    confidence: float | None = None,
    fallback: str = "",
) -> str:
    """The route of a call, taken or to be taken; `fallback` is the cause where a small model was asked in vain."""
    told = _route(route, rule, reason, task, understudy, fallback)
    if confidence is None:
        return f"{told}."
    return f"{told}; it was {confidence:.0%} sure of its answer."


@lru_cache(maxsize=512)
def _route(route: Route, rule: str, reason: str, task: str, understudy: str, fallback: str) -> str:
    target = f"the small model {understudy!r}" if route == "slm" else "the upstream"
    by = f"by rule {rule!r}" if rule else "before any rule"
    seen_as = f" as task {task!r}" if task else ""
    if fallback:
        failed = _DECLINED.get(fallback, f"failed ({fallback})")
        reason = f"the small model that was chosen ({reason}) {failed}"
    return f"This call goes to {target}, {by}{seen_as}: {reason}"


def certified(proposal: Proposal) -> str:
    """Why a small model may answer: what was shown of it, and whether it answers all or is on trial."""
    shown = _agreement(proposal.agreement, proposal.confidence)
    if proposal.share < 1:
        return f"its session is in the canary's {proposal.share:.0%} share, and its understudy {shown}"
    return f"its understudy is certified: it {shown}"


def falls_short(proposal: Proposal, rule: Rule) -> str:
    """Why the rule does not let a certified small model answer."""
    shown = _agreement(proposal.agreement, proposal.confidence)
    asked = f"{rule.min_agreement:.1%} at confidence {rule.confidence:.0%}"
    return f"its understudy is certified for less than the rule asks: it {shown}, the rule asks for {asked}"


def outside_canary(proposal: Proposal) -> str:
    """Why a session does not take part in a trial."""
    return f"its session is outside the canary's {proposal.share:.0%} share"


def outside_share(rule: Rule) -> str:
    """Why a session does not take part in a rule."""
    return f"its session is outside the rule's {rule.share:.0%} share"


@lru_cache(maxsize=512)
def _agreement(lower: float, confidence: float) -> str:
    return f"agrees with the LLM in at least {lower:.1%} of calls (confidence {confidence:.0%})"
