"""What an arrived call tells, and which trials it leads to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gatekeeper.intake import Intake
from gatekeeper.standing import Standing
from router.gate.policy import Policy
from store.calls import CallSummary
from store.deployments import DeploymentRow
from wire.usage import Usage

POLICY = Policy(canary_calls=5, canary_audits=3)


def _standing(state: str, understudy: str = "a@1", created: int = 0) -> Standing:
    row = DeploymentRow(understudy, "a", "label", "heads", understudy, "", state=state, created=created)
    return Standing.of(row, POLICY, list)


def _call(number: int = 1, **fields: object) -> CallSummary:
    values: dict[str, object] = {
        "id": f"{number:032x}",
        "started": number,
        "duration": 1_000_000,
        "first_byte": None,
        "overhead": 0,
        "endpoint": "chat.completions",
        "status": 200,
        "stream": False,
        "route": "upstream",
        "target": "",
        "model": "gpt-4o",
        "served_model": "",
        "understudy": "",
        "task": "a",
        "rule": "defaults",
        "key": "",
        "session": "",
        "confidence": None,
        "fallback": "",
        "error": "",
        "usage": Usage(),
        "usage_source": "",
        "cost": None,
        "list_cost": None,
        "cost_avoided": None,
        "request_size": 1,
        "response_size": 1,
        "truncated": False,
    }
    return CallSummary(**values | fields)  # type: ignore[arg-type]


def _served(number: int = 1, understudy: str = "a@1") -> CallSummary:
    return _call(number, route="slm", understudy=understudy)


def _intake(share: float = 0.0) -> Intake:
    return Intake(lambda _rule: share, lambda _call, answering: answering[-1] if answering else None)


@pytest.mark.parametrize(
    ("state", "call", "share", "source"),
    [
        ("shadow", _call(), 0.0, "shadow"),
        ("shadow", _call(status=500), 0.0, None),
        ("shadow", _call(truncated=True), 0.0, None),
        ("shadow", _call(task="b"), 0.0, None),
        ("shadow", _call(fallback="confidence"), 0.0, None),
        ("canary5", _served(), 0.0, "audit"),
        ("canary5", _call(), 0.0, None),
        ("live", _served(), 0.0, None),
        ("live", _served(), 1.0, "audit"),
        ("live", _call(), 1.0, "shadow"),
        ("live", _served(understudy="a@2"), 1.0, None),
    ],
)
def test_what_is_compared(state: str, call: CallSummary, share: float, source: str | None) -> None:
    taken = _intake(share).take([call], [_standing(state)], now=9)
    assert [trial.source for trial in taken.trials] == ([source] if source else [])


@pytest.mark.parametrize(
    ("fallback", "bad"),
    [
        ("schema", {"schema": 1, "errors": 0}),
        ("tool", {"schema": 1, "errors": 0}),
        ("status", {"errors": 1}),
        ("timeout", {"latency": 1}),
        ("connect", {}),
        ("breaker_open", {}),
        ("model_missing", {}),
        ("confidence", {"coverage": 1}),
    ],
)
def test_what_a_fallback_says_of_the_understudy(fallback: str, bad: dict[str, int]) -> None:
    taken = _intake().take([_call(fallback=fallback)], [_standing("live")], now=9)
    standing = taken.standings.get("a@1")
    health = standing.known.evidence.health if standing else {}
    assert {kind: watch.bad for kind, watch in health.items()} == bad
    assert (standing.known.abstained if standing else 0) == (fallback == "confidence")


def test_the_sample_is_a_share_of_calls_and_the_same_again() -> None:
    calls = [_served(number) for number in range(2000)]

    def sampled(share: float) -> Sequence[str]:
        return [trial.call_id for trial in _intake(share).take(calls, [_standing("live")], now=9).trials]

    assert 140 < len(sampled(0.1)) < 260
    assert sampled(0.1) == sampled(0.1)
    assert set(sampled(0.1)) <= set(sampled(0.3))


def test_a_newer_one_in_shadow_has_more_calls_audited() -> None:
    calls = [_served(number) for number in range(500)]
    both = [_standing("live"), _standing("shadow", "a@2", created=1)]
    audits = [trial for trial in _intake(0.0).take(calls, both, now=9).trials if trial.source == "audit"]
    assert 60 < len(audits) < 150


def test_of_two_the_router_says_who_failed() -> None:
    both = [_standing("live"), _standing("canary5", "a@2", created=1)]
    taken = _intake().take([_call(fallback="schema")], both, now=9)
    assert set(taken.standings) == {"a@2"}


def test_calls_are_counted_one_after_the_other() -> None:
    taken = _intake().take([_served(number) for number in range(7)], [_standing("canary5")], now=9)
    assert taken.standings["a@1"].known.evidence.served == 7
    assert {trial.queued for trial in taken.trials} == {9}
