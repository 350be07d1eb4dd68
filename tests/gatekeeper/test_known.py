"""What is known of an understudy: counted, kept, read back, and worked out anew when something else is asked."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.known import Known, verdict_of
from gatekeeper.standing import Standing, superseded
from router.gate.ceiling import MINIMUM_PAIRS
from router.gate.clopper_pearson import certify
from router.gate.policy import Policy
from store.deployments import DeploymentRow, PairRow

POLICY = Policy(shadow_pairs=10, canary_calls=5, canary_audits=2)
VERDICT = certify(200, 200, 0.95, 0.95)


def _row(state: str = "shadow", **fields: object) -> DeploymentRow:
    values: dict[str, object] = {"offline": dataclasses.asdict(VERDICT), "state": state} | fields
    return DeploymentRow("a@1", "a", "label", "heads", "a@1", "", **values)  # type: ignore[arg-type]


def _pair(number: int, agreed: bool | None) -> PairRow:
    return PairRow("a@1", f"{number:032x}", "shadow", number, agreed)


_EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("pair"), st.sampled_from([True, False, None])),
        st.tuples(st.just("served"), st.floats(0.001, 100)),
        st.tuples(st.just("llm"), st.floats(0.001, 100)),
        st.tuples(st.just("repeat"), st.booleans()),
        st.tuples(st.just("schema"), st.booleans()),
    ),
    max_size=150,
)


@given(_EVENTS)
def test_it_is_read_back_as_it_was(events: list[tuple[str, bool | float | None]]) -> None:
    known = Known.fresh(POLICY, VERDICT)
    for kind, value in events:
        match kind:
            case "pair":
                known = known.after_pair(None if value is None else bool(value), audit=bool(value))
            case "served":
                known = known.after_served(float(value or 0), POLICY)
            case "llm":
                known = known.after_llm(float(value or 0))
            case "repeat":
                known = known.after_repeat(bool(value), POLICY)
            case _:
                known = known.after_health(POLICY, schema=bool(value))
    assert Known.decode(known.encode(), VERDICT) == known


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"asked": 0.95, "target": 0.95, "audit": {"pairs": -1}}', b"\xff"]
)
def test_damaged_evidence_is_gathered_anew(data: bytes) -> None:
    with pytest.raises(ValueError, match="stored"):
        Known.decode(data, None)
    if data:
        standing = Standing.of(_row(evidence=data), POLICY, list)
        assert standing.known == Known.fresh(POLICY, VERDICT)
        assert standing.renewed


def test_the_verdict_lets_it_into_shadow_and_rubbish_does_not() -> None:
    assert verdict_of({"certified": True}) is None
    entering = Standing.of(_row("observe"), POLICY, list).move()
    assert entering is not None
    assert entering.after == "shadow"
    assert Standing.of(_row("observe", offline={}), POLICY, list).move() is None


def test_enough_agreement_certifies_and_says_for_what() -> None:
    standing = Standing.of(_row(), POLICY, list)
    for number in range(200):
        standing = standing.with_pair(_pair(number, True))
    move = standing.move()
    assert move is not None
    change = standing.change(move)
    assert change.move is not None
    assert (change.move.after, change.agreement, change.confidence) == ("canary5", 0.95, 0.95)
    assert len(change.pairs) == 200
    later = Standing.of(_row("canary5", evidence=change.evidence), POLICY, list)
    assert later.known.evidence.served == later.known.evidence.audited == 0
    assert later.needs_audits


def test_another_agreement_is_judged_by_the_stored_pairs() -> None:
    stored = [_pair(number, number != 7) for number in range(300)] + [_pair(300, None)]
    known = Known.fresh(POLICY, VERDICT)
    for pair in stored:
        known = known.after_pair(pair.agreed, audit=False)
    row = _row("live", evidence=known.encode(), agreement=0.95, confidence=0.95)
    stricter = dataclasses.replace(POLICY, target=0.98)
    standing = Standing.of(row, stricter, lambda: stored)
    assert standing.renewed
    test = standing.known.evidence.certification
    assert test is not None
    assert (test.target, test.agreed, test.disagreed) == (0.98, 299, 1)
    assert standing.change(None).agreement is None  # not established yet: calls that ask 0.98 stay upstream
    for number in range(301, 900):
        standing = standing.with_pair(_pair(number, True))
    assert standing.change(None).agreement == 0.98


def test_an_llm_that_contradicts_itself_lowers_the_target_once() -> None:
    known = Known.fresh(POLICY, VERDICT).after_pair(True, audit=False)
    for number in range(MINIMUM_PAIRS):
        known = known.after_repeat(number % 5 > 0, POLICY)
    assert 0.8 < known.target < 0.9
    assert "agrees with itself on 80 of 100" in known.ceiling
    assert known.evidence.certification is None
    assert known.held_to(POLICY).target == known.target
    assert known.after_repeat(False, POLICY) == known
    standing = Standing.of(_row(), POLICY, list).knowing(known)
    for number in range(120):
        standing = standing.with_pair(_pair(number, number % 40 > 0))
    move = standing.move()
    assert move is not None
    assert move.after == "canary5"
    assert standing.change(move).agreement == POLICY.target


def test_slow_answers_are_slow_beside_the_llm() -> None:
    known = Known.fresh(POLICY, VERDICT)
    for _ in range(10):
        known = known.after_llm(2.0).after_served(5.0, POLICY).after_served(7.0, POLICY)
    assert known.evidence.health["latency"].bad == 10
    assert known.evidence.served == 20
    quick = Known.fresh(POLICY, VERDICT).after_llm(0.1).after_served(0.9, POLICY)
    assert quick.evidence.health["latency"].bad == 0
    patient = dataclasses.replace(POLICY, slow_seconds=10.0)
    leisurely = (
        Known.fresh(patient, VERDICT).after_llm(0.1).after_served(9.0, patient).after_served(11.0, patient)
    )
    assert leisurely.evidence.health["latency"].bad == 1


def test_the_older_one_makes_room() -> None:
    old, new = Standing.of(_row("live"), POLICY, list), Standing.of(_row("canary25"), POLICY, list)
    move = superseded(old, new)
    assert (move.before, move.after, move.rule) == ("live", "demoted", "superseded")
