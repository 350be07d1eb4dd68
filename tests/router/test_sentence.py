"""A call's route in one sentence: rule, task, evidence, and why not the other way."""

from __future__ import annotations

from typing import Any

import pytest

from router.learned import Proposal
from router.rule import Rule
from router.sentence import certified, falls_short, outside_canary, outside_share, sentence
from router.when import When

LIVE = Proposal("support/label", "support/label@3", 0.9623, 0.95)
TRIED = Proposal("support/label", "support/label@4", 0.9623, 0.95, "canary5", 0.05)
STRICT = Rule("strict", When(), "auto", share=0.25, min_agreement=0.98, confidence=0.99)


@pytest.mark.parametrize(
    ("route", "rule", "reason", "known", "told"),
    [
        (
            "upstream", "defaults", "no understudy is certified for its task", {"task": "support/label"},
            ("This call goes to the upstream, by rule 'defaults' as task 'support/label': "
            "no understudy is certified for its task."),
        ),
        (
            "slm", "labels", certified(LIVE),
            {"task": "support/label", "understudy": "support/label@3", "confidence": 0.971},
            ("This call goes to the small model 'support/label@3', by rule 'labels' as task 'support/label': "
            "its understudy is certified: it agrees with the LLM in at least 96.2% of calls (confidence 95%); "
            "it was 97% sure of its answer."),
        ),
        (
            "upstream", "labels", "the rule names this small model", {"fallback": "confidence", "confidence": 0.41},
            ("This call goes to the upstream, by rule 'labels': the small model that was chosen (the rule names this "
            "small model) was less sure of its answer than the gate asks; it was 41% sure of its answer."),
        ),
        (
            "upstream", "labels", "the rule names this small model", {"fallback": "protocol"},
            ("This call goes to the upstream, by rule 'labels': the small model that was chosen (the rule names this "
            "small model) failed (protocol)."),
        ),
        (
            "upstream", "", "the agent asked for the upstream", {},
            "This call goes to the upstream, before any rule: the agent asked for the upstream.",
        ),
    ],
)  # fmt: skip
def test_the_sentence(route: Any, rule: str, reason: str, known: dict[str, Any], told: str) -> None:
    assert sentence(route, rule, reason, **known) == told
    assert told.isascii()


def test_a_reason_carries_its_evidence() -> None:
    assert certified(TRIED).startswith("its session is in the canary's 5% share, and its understudy agrees")
    assert outside_canary(TRIED) == "its session is outside the canary's 5% share"
    assert outside_share(STRICT) == "its session is outside the rule's 25% share"
    assert falls_short(LIVE, STRICT) == (
        "its understudy is certified for less than the rule asks: it agrees with the LLM in at least 96.2% of calls "
        "(confidence 95%), the rule asks for 98.0% at confidence 99%"
    )
