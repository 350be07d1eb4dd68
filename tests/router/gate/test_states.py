from __future__ import annotations

import json
from dataclasses import replace
from functools import reduce

import pytest

from router.gate.certification import Certification
from router.gate.clopper_pearson import certify
from router.gate.fall import FallDetector
from router.gate.policy import Policy
from router.gate.states import SHARES, Evidence, State, advance

POLICY = Policy()
SHOWN = Certification(0.95, agreed=300, peak=9.0)
STEADY = FallDetector(0.95, pairs=100)
FALLEN = FallDetector(0.95, pairs=100, bad=20, peak=20_000)
SELDOM_SURE = reduce(FallDetector.after, [call % 6 == 0 for call in range(600)], FallDetector(0.1))
NEVER_SURE = reduce(FallDetector.after, [False] * 100, FallDetector(0.1))
HELD_OUT = certify(500, 505, 0.95, 0.95)
STATES: tuple[State, ...] = ("observe", "shadow", "canary5", "canary25", "live", "demoted")


@pytest.mark.parametrize(
    ("state", "evidence", "after", "rule"),
    [
        ("observe", Evidence(), None, ""),
        ("observe", Evidence(offline=certify(40, 60, 0.95, 0.95)), None, ""),
        ("observe", Evidence(offline=certify(500, 505, 0.9, 0.95)), None, ""),
        ("observe", Evidence(offline=certify(500, 505, 0.95, 0.9)), None, ""),
        ("observe", Evidence(offline=HELD_OUT), "shadow", "offline"),
        ("observe", Evidence(offline=HELD_OUT, audit=FALLEN), "shadow", "offline"),
        ("shadow", Evidence(offline=HELD_OUT), None, ""),
        ("shadow", Evidence(certification=replace(SHOWN, peak=1.0)), None, ""),
        ("shadow", Evidence(certification=replace(SHOWN, agreed=49)), None, ""),
        ("shadow", Evidence(certification=SHOWN), "canary5", "certified"),
        ("shadow", Evidence(certification=SHOWN, audit=FALLEN), "demoted", "fall"),
        ("canary5", Evidence(certification=SHOWN, served=500, audited=19), None, ""),
        ("canary5", Evidence(certification=SHOWN, served=49, audited=20), None, ""),
        ("canary5", Evidence(audit=STEADY, served=50, audited=20), "canary25", "steady"),
        ("canary25", Evidence(audit=STEADY, served=50, audited=20), "live", "steady"),
        ("canary25", Evidence(audit=FALLEN, served=50, audited=20), "demoted", "fall"),
        ("live", Evidence(audit=STEADY, served=10**6, audited=10**5), None, ""),
        ("live", Evidence(audit=FALLEN), "demoted", "fall"),
        ("live", Evidence(health={"schema": FALLEN}), "demoted", "schema"),
        ("live", Evidence(health={"latency": STEADY, "errors": FALLEN}), "demoted", "errors"),
        ("live", Evidence(health={"latency": FALLEN}), "demoted", "latency"),
        ("live", Evidence(health={"coverage": SELDOM_SURE}), None, ""),
        ("live", Evidence(health={"coverage": NEVER_SURE}), "demoted", "coverage"),
        ("live", Evidence(change="split", audit=FALLEN), "observe", "changed"),
        ("shadow", Evidence(change="merged", certification=SHOWN), "observe", "changed"),
        ("observe", Evidence(change="merged"), None, ""),
        ("demoted", Evidence(HELD_OUT, SHOWN, STEADY, served=999, audited=999, change="split"), None, ""),
    ],
)
def test_moves(state: State, evidence: Evidence, after: State | None, rule: str) -> None:
    move = advance(state, evidence, POLICY)
    if after is None:
        assert move is None
        return
    assert move is not None
    assert (move.before, move.after, move.rule) == (state, after, rule)
    row = json.loads(json.dumps(move.to_dict()))
    assert row["numbers"]
    assert row["sentence"]


def test_a_good_understudy_reaches_live_and_a_bad_day_ends_it() -> None:
    state: State = "observe"
    evidence = Evidence(HELD_OUT, Certification(0.95), FallDetector(0.95))
    trail: list[State] = []
    for pair in range(600):
        agreed = pair < 400 or pair % 3 == 0
        assert evidence.certification is not None
        assert evidence.audit is not None
        evidence = replace(
            evidence,
            certification=evidence.certification.after(agreed),
            audit=evidence.audit.after(agreed),
            served=evidence.served + 1,
            audited=evidence.audited + 1,
        )
        if move := advance(state, evidence, POLICY):
            state, evidence = move.after, replace(evidence, served=0, audited=0)
            trail.append(state)
    assert trail == ["shadow", "canary5", "canary25", "live", "demoted"]


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(certification=Certification(0.9)),
        Evidence(audit=FallDetector(0.9)),
        Evidence(health={"errors": FallDetector(0.5)}),
    ],
)
def test_evidence_for_another_target_is_refused(evidence: Evidence) -> None:
    with pytest.raises(ValueError, match="start it afresh"):
        advance("live", evidence, POLICY)


def test_every_state_has_a_share_and_only_three_serve() -> None:
    assert set(SHARES) == set(STATES)
    assert [SHARES[state] for state in STATES] == [0, 0, 0.05, 0.25, 1, 0]


def test_a_policy_spends_its_confidence_once() -> None:
    assert POLICY.test_alpha + POLICY.ceiling_alpha == pytest.approx(0.05)
    with pytest.raises(ValueError, match="allowed_bad"):
        Policy(allowed_bad=0)
