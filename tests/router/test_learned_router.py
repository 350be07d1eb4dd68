from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from router.decision import Query
from router.learned import Learned, Proposal
from router.learned_router import LearnedRouter
from router.recognition import Recogniser, Recognition
from router.rule import Rule
from router.rule_router import RuleRouter
from router.when import When, when

MakeQuery = Callable[..., Query]
DEFAULTS = Rule("defaults", When(), "auto")
LIVE = Proposal("tickets/label", "tickets/label@1", 0.97, 0.95)
SHADOW = Proposal("tickets/label", "tickets/label@2", 0.97, 0.95, "shadow", 0.0)
CANARY = Proposal("tickets/label", "tickets/label@3", 0.97, 0.95, "canary5", 0.05, threshold=0.9)
WIDER = Proposal("tickets/label", "tickets/label@4", 0.97, 0.95, "canary25", 0.25)


@dataclass(frozen=True, slots=True)
class ByModel:
    """Recognises a call by the model that it names."""

    version: str = "test"

    def recognise(self, query: Query) -> Recognition | None:
        model = query.body["model"]
        return Recognition(model, "fingerprint") if "/" in model else None


def learned(*deployed: Proposal) -> LearnedRouter:
    recogniser: Recogniser = ByModel()
    return LearnedRouter(recogniser, deployed)


def rules(*deployed: Proposal, rule: Rule = DEFAULTS) -> RuleRouter:
    seam: Learned = learned(*deployed)
    return RuleRouter([], rule, learned=seam)


@pytest.fixture
def label(chat: MakeQuery) -> MakeQuery:
    """Builds a call of the task `tickets/label`, in a session of its own number."""

    def make(session: int = 0) -> Query:
        return chat(model="tickets/label", headers={"x-understudy-session": str(session)})

    return make


def test_an_unknown_call_is_proposed_nothing(chat: MakeQuery) -> None:
    assert learned(LIVE).propose(chat(model="gpt-4o")) is None
    decision = rules(LIVE).decide(chat(model="gpt-4o"))
    assert (decision.route, decision.task) == ("upstream", "")


def test_a_task_without_an_understudy_stands_in_the_decision(label: MakeQuery) -> None:
    assert learned().propose(label()) == Proposal("tickets/label")
    decision = rules().decide(label())
    assert (decision.route, decision.task) == ("upstream", "tickets/label")
    assert decision.reason == "no understudy is certified for its task"


def test_the_agents_own_label_stays(chat: MakeQuery) -> None:
    query = chat(model="tickets/label", headers={"x-understudy-task": "mine"})
    decision = rules(LIVE).decide(query)
    assert (decision.route, decision.task, decision.understudy) == ("slm", "mine", "tickets/label@1")


def test_a_rule_may_ask_for_a_recognised_task(label: MakeQuery) -> None:
    stays = Rule("stays", when({"task": "tickets/*"}), "upstream")
    decision = RuleRouter([stays], DEFAULTS, learned=learned(LIVE)).decide(label())
    assert (decision.route, decision.rule, decision.task) == ("upstream", "stays", "tickets/label")


def test_what_is_live_answers(label: MakeQuery) -> None:
    decision = rules(LIVE).decide(label())
    assert (decision.route, decision.understudy, decision.threshold) == ("slm", "tickets/label@1", 0.0)
    shown = "it agrees with the LLM in at least 97.0% of calls (confidence 95%)"
    assert decision.reason == f"its understudy is certified: {shown}"


def test_what_is_in_shadow_does_not(label: MakeQuery) -> None:
    decision = rules(SHADOW).decide(label())
    assert (decision.route, decision.reason) == (
        "upstream",
        "its understudy is still compared with the upstream",
    )


@pytest.mark.parametrize(
    ("asked", "route"),
    [
        (Rule("defaults", When(), "auto", min_agreement=0.97), "slm"),
        (Rule("defaults", When(), "auto", min_agreement=0.98), "upstream"),
        (Rule("defaults", When(), "auto", confidence=0.99), "upstream"),
    ],
)
def test_the_rule_may_ask_for_more_than_is_certified(label: MakeQuery, asked: Rule, route: str) -> None:
    assert rules(LIVE, rule=asked).decide(label()).route == route


def test_a_canary_answers_its_share_of_sessions_and_always_the_same(label: MakeQuery) -> None:
    router = rules(WIDER)
    first = [router.decide(label(session)) for session in range(4000)]
    again = [rules(WIDER).decide(label(session)) for session in range(4000)]
    assert first == again
    reasons = {decision.route: decision.reason for decision in first}
    assert reasons == {
        "slm": "its session is in the canary's 25% share, and its understudy "
        "agrees with the LLM in at least 97.0% of calls (confidence 95%)",
        "upstream": "its session is outside the canary's 25% share",
    }
    replaced = sum(decision.route == "slm" for decision in first) / len(first)
    assert 0.22 < replaced < 0.28  # the sessions are fixed, so this holds always or never


def test_a_growing_share_keeps_the_sessions_it_has(label: MakeQuery) -> None:
    grown = Proposal("tickets/label", CANARY.understudy, 0.97, 0.95, "canary25", 0.25)
    small = {session for session in range(1000) if rules(CANARY).decide(label(session)).route == "slm"}
    large = {session for session in range(1000) if rules(grown).decide(label(session)).route == "slm"}
    assert small
    assert small < large


@pytest.mark.parametrize("deployed", [(LIVE, SHADOW), (SHADOW, LIVE), (SHADOW, CANARY, LIVE)])
def test_the_most_advanced_answers(label: MakeQuery, deployed: tuple[Proposal, ...]) -> None:
    understudies = {rules(*deployed).decide(label(session)).understudy for session in range(200)}
    assert understudies == {"tickets/label@1"}


def test_a_newer_canary_takes_its_share_from_the_incumbent(label: MakeQuery) -> None:
    decisions = [rules(LIVE, CANARY).decide(label(session)) for session in range(2000)]
    answered = [decision.understudy for decision in decisions]
    assert {decision.route for decision in decisions} == {"slm"}
    assert 0.03 < answered.count("tickets/label@3") / len(answered) < 0.07
    assert answered.count("tickets/label@1") + answered.count("tickets/label@3") == len(answered)
    assert {one.threshold for one in decisions if one.understudy == "tickets/label@3"} == {0.9}


def test_of_equals_the_newest_answers(label: MakeQuery) -> None:
    newer = Proposal("tickets/label", "tickets/label@5", 0.96, 0.95)
    assert rules(LIVE, newer).decide(label()).understudy == "tickets/label@5"
