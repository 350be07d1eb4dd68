"""The router over the owner's rules: first match wins, the hard limits hold always, unknown goes upstream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from router.decision import Decision, Query
from router.gate.states import State
from router.learned import Learned
from router.limits import call_limit, slm_limit
from router.read import Reading
from router.rule import AUTO, UPSTREAM, Rule, Slm
from router.sentence import certified, falls_short, outside_canary, outside_share, sentence
from router.share import position

ROUTE_HEADER = "x-understudy-route"

_UNKNOWN: Final = "no understudy is certified for this call"
_UNCERTIFIED: Final = "no understudy is certified for its task"
_NOT_ANSWERING: Final[Mapping[State, str]] = {
    "shadow": "its understudy is still compared with the upstream",
    "demoted": "its understudy was demoted",
}
"""Why an understudy without a share answers nothing."""

_OPTED_OUT = Decision(route="upstream", reason="the agent asked for the upstream")


@dataclass(frozen=True, slots=True)
class Check:
    """What became of one rule when a call was explained."""

    rule: str
    matched: bool
    key: str = ""
    """The first condition that did not hold; empty when all did."""
    expected: str = ""
    found: str = ""
    """What the call has there: content of the call, for its owner's eyes only."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and how it came about."""

    decision: Decision
    checks: tuple[Check, ...]
    """The rules in order, up to and including the one that matched."""
    sentence: str


class RuleRouter:
    """Decides by rules; a Router.

    `defaults` is the rule that takes what no other matched. Raises ValueError for a rule whose route names no Slm."""

    def __init__(
        self,
        rules: Sequence[Rule],
        defaults: Rule,
        slms: Mapping[str, Slm] | None = None,
        learned: Learned | None = None,
    ) -> None:
        self.rules = tuple(rules)
        self.defaults = defaults
        self.slms = MappingProxyType(dict(slms or {}))
        self.learned = learned
        self._tests = tuple((rule, rule.when.tests) for rule in rules)
        for rule in (*self.rules, defaults):
            if rule.route not in (AUTO, UPSTREAM) and rule.route not in self.slms:
                raise ValueError(
                    f"rule {rule.name!r} routes to {rule.route!r}, which is no known small model"
                )

    def decide(self, query: Query) -> Decision:
        """Where a call goes; never raises for anything a client can send."""
        return self.decide_read(Reading(query, self.learned))

    def decide_read(self, reading: Reading) -> Decision:
        """The same of a call that was read already: several sets of rules then read it once."""
        if _opted_out(reading.query):
            return _OPTED_OUT
        return self._apply(self._match(reading), reading)

    def explain(self, query: Query) -> Explanation:
        """The decision on a call with each rule that was looked at."""
        decision = self.decide(query)
        if _opted_out(query):
            return Explanation(decision, (), _sentence(decision))
        reading = Reading(query, self.learned)
        return Explanation(decision, tuple(self._checks(reading)), _sentence(decision, call_limit(reading)))

    def _match(self, reading: Reading) -> Rule:
        for rule, tests in self._tests:
            for read, test in tests:
                if not test(read(reading)):
                    break
            else:
                return rule
        return self.defaults

    def _checks(self, reading: Reading) -> list[Check]:
        checks: list[Check] = []
        for rule in (*self.rules, self.defaults):
            failing = rule.when.failing(reading)
            if failing is None:
                return [*checks, Check(rule.name, matched=True)]
            checks.append(Check(rule.name, False, failing.key, failing.expected, failing.found(reading)))
        return checks

    def _apply(self, rule: Rule, reading: Reading) -> Decision:
        if rule.route == UPSTREAM:
            return _upstream("the rule sends it upstream", rule, reading)
        if rule.route == AUTO:
            return self._automatic(rule, reading)
        if limit := call_limit(reading):
            return _upstream(limit, rule, reading)
        return _replace(rule, reading, self.slms[rule.route], "the rule names this small model")

    def _automatic(self, rule: Rule, reading: Reading) -> Decision:
        proposal = reading.proposal
        if proposal is None or not proposal.understudy:
            return _upstream(_UNKNOWN if proposal is None else _UNCERTIFIED, rule, reading)
        if limit := call_limit(reading):
            return _upstream(limit, rule, reading)
        if proposal.share <= 0:
            return _upstream(_NOT_ANSWERING.get(proposal.state, _UNCERTIFIED), rule, reading)
        if proposal.agreement < rule.min_agreement or proposal.confidence < rule.confidence:
            return _upstream(falls_short(proposal, rule), rule, reading)
        if proposal.share < 1 and position(reading, proposal.understudy) >= proposal.share:
            return _upstream(outside_canary(proposal), rule, reading)
        slm = self.slms.get(proposal.understudy) or Slm(proposal.understudy)
        return _replace(rule, reading, slm, certified(proposal), proposal.threshold)


def _opted_out(query: Query) -> bool:
    route = query.headers.get(ROUTE_HEADER)
    return route is not None and route.strip().lower() == UPSTREAM


def _upstream(reason: str, rule: Rule, reading: Reading) -> Decision:
    return _stays(reason, rule.name, reading.task)


@lru_cache(maxsize=512)
def _stays(reason: str, rule: str, task: str) -> Decision:
    """Most calls get one of a few decisions, so these are made once."""
    return Decision(route="upstream", reason=reason, rule=rule, task=task)


def _replace(rule: Rule, reading: Reading, slm: Slm, reason: str, threshold: float = 0.0) -> Decision:
    if limit := slm_limit(reading, slm):
        return _upstream(limit, rule, reading)
    if rule.share < 1 and position(reading, rule.name) >= rule.share:
        return _upstream(outside_share(rule), rule, reading)
    return Decision(
        route="slm",
        reason=reason,
        rule=rule.name,
        understudy=slm.name,
        task=reading.task,
        threshold=threshold,
        timeout=slm.timeout if rule.timeout is None else rule.timeout,
        fallback=rule.fallback,
        audit=rule.audit,
    )


def _sentence(decision: Decision, limit: str = "") -> str:
    """The decision in words; `limit` is what keeps the call upstream in any case."""
    reason = decision.reason if limit in decision.reason else f"{decision.reason}; besides, {limit}"
    return sentence(decision.route, decision.rule, reason, task=decision.task, understudy=decision.understudy)
