"""The file's rules as the router takes them: what a rule leaves out is filled in from the defaults."""

from __future__ import annotations

from config.consistency import DEFAULTS_NAME
from config.settings import Defaults, Settings
from config.settings import Rule as RuleSettings
from router.learned import Learned
from router.rule import Rule, Slm
from router.rule_router import RuleRouter
from router.when import When, when


def rule_router(settings: Settings, learned: Learned | None = None) -> RuleRouter:
    """The router over these settings; raises ValueError where they are inconsistent."""
    slms = {
        name: Slm(name, context=slm.context, images=slm.images, timeout=slm.timeout)
        for name, slm in settings.slms.items()
    }
    rules = [_rule(rule, settings.defaults) for rule in settings.rules]
    return RuleRouter(rules, _defaults(settings.defaults), slms, learned)


def _defaults(defaults: Defaults) -> Rule:
    return Rule(
        name=DEFAULTS_NAME,
        when=When(),
        route=defaults.route,
        timeout=defaults.timeout,
        min_agreement=defaults.min_agreement,
        confidence=defaults.confidence,
        audit=defaults.audit,
        fallback=defaults.fallback == "upstream",
    )


def _rule(rule: RuleSettings, defaults: Defaults) -> Rule:
    return Rule(
        name=rule.name,
        when=when(rule.when),
        route=defaults.route if rule.route is None else rule.route,
        share=rule.share,
        timeout=defaults.timeout if rule.timeout is None else rule.timeout,
        min_agreement=defaults.min_agreement if rule.min_agreement is None else rule.min_agreement,
        confidence=defaults.confidence if rule.confidence is None else rule.confidence,
        audit=defaults.audit if rule.audit is None else rule.audit,
        fallback=(defaults.fallback if rule.fallback is None else rule.fallback) == "upstream",
    )
