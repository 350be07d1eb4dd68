"""What the owner asks of a task's understudies, as the configuration says it."""

from __future__ import annotations

from typing import Final

from config.settings import Rule, Settings
from router.gate.policy import Policy
from router.patterns import pattern

_LEAST: Final = 0.01
_MOST: Final = 0.9999
"""Nothing can be certified to agree always; who asks for 100% gets this."""


def policy_for(settings: Settings, task: str) -> Policy:
    """The policy of the first rule that names the task in `when`, what it leaves out from the defaults."""
    rule = _rule_naming(settings, task)
    target, confidence = settings.defaults.min_agreement, settings.defaults.confidence
    if rule is not None:
        target = target if rule.min_agreement is None else rule.min_agreement
        confidence = confidence if rule.confidence is None else rule.confidence
    learning = settings.learning
    return Policy(
        target=min(max(target, _LEAST), _MOST),
        confidence=min(max(confidence, _LEAST), _MOST),
        shadow_pairs=learning.shadow_pairs,
        canary_calls=learning.canary_calls,
        canary_audits=learning.canary_audits,
        slow_seconds=learning.slow_after,
    )


def audit_share(settings: Settings, rule: str) -> float:
    """The share of replaced calls to audit among those that a rule took."""
    share = next((each.audit for each in settings.rules if each.name == rule), None)
    return settings.defaults.audit if share is None else share


def _rule_naming(settings: Settings, task: str) -> Rule | None:
    for rule in settings.rules:
        named = rule.when.get("task")
        globs = [named] if isinstance(named, str) else named
        if isinstance(globs, list | tuple) and any(pattern(str(glob)).matches(task) for glob in globs):
            return rule
    return None
