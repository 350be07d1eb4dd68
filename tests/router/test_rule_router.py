from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decision import Endpoint, Query, Router
from router.learned import Proposal
from router.rule import Rule, Slm
from router.rule_router import RuleRouter
from router.when import KEYS, When, when

MakeQuery = Callable[..., Query]
DEFAULTS = Rule("defaults", When(), "auto")
SLMS = {"small": Slm("small", context=1000, timeout=3.0), "tiny": Slm("tiny")}


@dataclass(frozen=True, slots=True)
class Knows:
    """A learned router that makes the same proposal for every call."""

    proposal: Proposal | None

    def propose(self, query: Query) -> Proposal | None:
        return self.proposal


def router(*rules: Rule, defaults: Rule = DEFAULTS, proposal: Proposal | None = None) -> RuleRouter:
    return RuleRouter(rules, defaults, SLMS, Knows(proposal))


def rule(name: str, route: str, conditions: Mapping[str, object] | None = None, **options: Any) -> Rule:
    return Rule(name, when(conditions or {}), route, **options)


def test_it_is_a_router(chat: MakeQuery) -> None:
    seam: Router = router()
    assert seam.decide(chat()).route == "upstream"


def test_the_first_match_wins(chat: MakeQuery) -> None:
    rules = router(rule("other", "tiny", {"model": "o3"}), rule("first", "small"), rule("second", "upstream"))
    decision = rules.decide(chat())
    assert (decision.route, decision.rule, decision.understudy) == ("slm", "first", "small")


def test_no_match_takes_the_defaults(chat: MakeQuery) -> None:
    decision = router(rule("other", "tiny", {"model": "o3"})).decide(chat())
    assert (decision.route, decision.rule) == ("upstream", "defaults")
    assert decision.reason == "no understudy is certified for this call"


def test_a_rule_may_keep_calls_upstream(chat: MakeQuery) -> None:
    decision = router(rule("stays", "upstream")).decide(chat())
    assert (decision.route, decision.reason) == ("upstream", "the rule sends it upstream")


def test_the_decision_carries_the_rules_options(chat: MakeQuery) -> None:
    decision = router(rule("pin", "small", timeout=2.0, audit=0.02, fallback=False)).decide(chat())
    assert (decision.timeout, decision.audit, decision.fallback) == (2.0, 0.02, False)


def test_a_rule_without_timeout_takes_the_models(chat: MakeQuery) -> None:
    assert router(rule("pin", "small")).decide(chat()).timeout == 3.0
    assert router(rule("pin", "tiny")).decide(chat()).timeout is None


def test_the_agent_may_opt_out(chat: MakeQuery) -> None:
    pinned = router(rule("pin", "small"))
    decision = pinned.decide(chat(headers={"x-understudy-route": "Upstream"}))
    assert (decision.route, decision.rule) == ("upstream", "")
    assert pinned.decide(chat(headers={"x-understudy-route": "slm"})).route == "slm"


def test_the_agents_task_label_is_kept_and_cut(chat: MakeQuery) -> None:
    assert router().decide(chat(headers={"x-understudy-task": " support/intent "})).task == "support/intent"
    assert len(router().decide(chat(headers={"x-understudy-task": "x" * 9999})).task) == 200


def test_hard_limits_hold_for_pinned_rules_too(chat: MakeQuery) -> None:
    pinned = router(rule("pin", "small"))
    assert pinned.decide(chat(n=2)).reason == "n asks for several answers"
    assert pinned.decide(chat(size=9000)).reason == "the call is longer than the model's context"
    assert {pinned.decide(call).rule for call in (chat(n=2), chat(size=9000))} == {"pin"}


def test_a_share_splits_sessions_and_stays(chat: MakeQuery) -> None:
    quarter = router(rule("canary", "small", share=0.25))
    half = router(rule("canary", "small", share=0.5))
    calls = [chat(f"user {number}") for number in range(400)]
    small = {call.body["messages"][0]["content"] for call in calls if quarter.decide(call).route == "slm"}
    large = {call.body["messages"][0]["content"] for call in calls if half.decide(call).route == "slm"}
    assert 60 < len(small) < 140
    assert small < large


@pytest.mark.parametrize(("share", "route"), [(0.0, "upstream"), (1.0, "slm")])
def test_the_ends_of_share(chat: MakeQuery, share: float, route: str) -> None:
    canary = router(rule("canary", "small", share=share))
    assert {canary.decide(chat(f"user {number}")).route for number in range(50)} == {route}


@pytest.mark.parametrize(
    ("proposal", "route", "task", "reason"),
    [
        (None, "upstream", "", "no understudy is certified"),
        (Proposal("intent"), "upstream", "intent", "no understudy is certified"),
        (Proposal("intent", "lora-1", 0.97, 0.95), "slm", "intent", "its understudy is certified"),
        (Proposal("intent", "lora-1", 0.94, 0.95), "upstream", "intent", "for less than the rule asks"),
        (Proposal("intent", "lora-1", 0.97, 0.90), "upstream", "intent", "for less than the rule asks"),
    ],
)
def test_auto_follows_what_is_certified(
    chat: MakeQuery, proposal: Proposal | None, route: str, task: str, reason: str
) -> None:
    decision = router(proposal=proposal).decide(chat())
    assert (decision.route, decision.task) == (route, task)
    assert reason in decision.reason


def test_rules_may_ask_for_a_learned_task(chat: MakeQuery) -> None:
    rules = router(
        rule("intents", "upstream", {"task": "intent"}), proposal=Proposal("intent", "lora-1", 1, 1)
    )
    assert rules.decide(chat()).rule == "intents"


def test_a_rule_to_an_unknown_model_is_refused() -> None:
    with pytest.raises(ValueError, match="'pin' routes to 'gone'"):
        router(rule("pin", "gone"))


def test_an_explanation_shows_why_earlier_rules_did_not_match(chat: MakeQuery) -> None:
    rules = router(rule("other", "tiny", {"model": ["o3", "o4"]}), rule("pin", "small"), rule("late", "tiny"))
    explanation = rules.explain(chat())
    other, pin = explanation.checks
    assert (other.rule, other.matched, other.key) == ("other", False, "model")
    assert (other.expected, other.found) == ("o3, o4", "gpt-4o-mini")
    assert (pin.rule, pin.matched, pin.key) == ("pin", True, "")
    assert explanation.decision == rules.decide(chat())
    assert explanation.sentence == (
        "This call goes to the small model 'small', by rule 'pin': the rule names this small model."
    )


def test_an_opted_out_call_is_explained_without_rules(chat: MakeQuery) -> None:
    explanation = router(rule("pin", "small")).explain(chat(headers={"x-understudy-route": "upstream"}))
    assert explanation.checks == ()
    assert explanation.sentence == (
        "This call goes to the upstream, before any rule: the agent asked for the upstream."
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = [
    "model",
    "messages",
    "input",
    "prompt",
    "instructions",
    "system",
    "tools",
    "functions",
    "response_format",
    "text",
    "metadata",
    "stream",
    "n",
    "store",
    "modalities",
    "include",
    "thinking",
    "max_tokens",
    "logprobs",
    "conversation",
    "output_config",
]
PARTS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("role", "content", "type", "text", "name", "function", "output"), JSON),
)
BODIES = st.dictionaries(
    st.sampled_from(MEMBERS) | st.text(max_size=8),
    JSON | st.lists(PARTS | JSON, max_size=4) | PARTS,
    max_size=8,
)
HEADERS = st.dictionaries(
    st.sampled_from(["x-understudy-route", "x-understudy-task", "x-understudy-session", "x-team"]), st.text()
)
EVERYTHING = router(
    *(
        rule(key, "upstream", {key: "nothing*matches?this"})
        for key in (*KEYS, "header.x-team", "metadata.agent")
        if key not in ("tokens", "stream", "images")
    ),
    rule("tokens", "upstream", {"tokens": ">999999999"}),
    rule("stream", "upstream", {"stream": True, "images": True}),
    rule("rest", "small", share=0.5),
)


@given(st.sampled_from(get_args(Endpoint)), BODIES, st.integers(0, 10**9), HEADERS)
def test_no_body_makes_it_raise(
    endpoint: Endpoint, body: dict[str, Any], size: int, headers: dict[str, str]
) -> None:
    query = Query(endpoint, body, size, headers)
    decision = EVERYTHING.decide(query)
    assert decision.reason.isascii()
    assert EVERYTHING.explain(query).decision == decision
