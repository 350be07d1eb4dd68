"""Two sets of rules over one log: every figure against what can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from backtest.comparison import Comparison
from backtest.report import Report
from config.load import Configuration
from router.decision import Query
from router.gate.clopper_pearson import lower_bound, upper_bound
from router.learned import Proposal
from store import call_id
from store.deployments import Change, DeploymentRow, Deployments, PairRow
from tests.backtest.conftest import Stored, chat, configured, record

TO_SMALL = {"name": "letters", "when": {"user": "*letter*"}, "route": "small"}
UPSTREAM_DOLLARS = (1000 * 2 + 100 * 10) / 1e6
SMALL_DOLLARS = 1100 * 0.1 / 1e6


def compare(stored: Stored, today: Configuration, other: Configuration, **options: Any) -> Report:
    return Comparison(today, other, **options).run(
        stored.engine, stored.sealer, None, None, lambda done: None
    )


def _replaced(number: int, **changed: Any) -> Any:
    values: dict[str, Any] = {
        "route": "slm", "target": "gpu", "understudy": "small", "served_model": "small", "rule": "letters",
        "duration_us": 100_000,
    }  # fmt: skip
    return record(number, **(values | changed))


def test_equal_rules_change_nothing(stored: Stored) -> None:
    stored.fill([record(number) for number in range(5)])
    report = compare(stored, configured(), configured())
    assert report.moved == 0
    assert report.today == report.other
    assert report.today.calls == 5
    assert report.today.dollars == pytest.approx(5 * UPSTREAM_DOLLARS)


def test_a_new_rule_replaces(stored: Stored) -> None:
    others = [chat("Something else that somebody wrote") for _ in range(3)]
    stored.fill([*(record(n) for n in range(7)), *(record(7 + n, body) for n, body in enumerate(others))])
    report = compare(stored, configured(), configured(TO_SMALL))
    assert (report.today.replacement_rate, report.other.replacement_rate) == (0.0, 0.7)
    assert report.moved == 7
    assert report.other.dollars == pytest.approx(3 * UPSTREAM_DOLLARS + 7 * SMALL_DOLLARS)
    assert report.recorded_rate == 0
    rules = {group.name: group for group in report.rules}
    assert rules["letters"].other.calls == 7
    assert rules["letters"].today.calls == 0
    assert rules["defaults"].today.calls == 10
    assert rules["defaults"].other.calls == 3
    notes = " ".join(report.notes)
    assert "small has never been asked" in notes
    assert "no agreement can be told" in notes


def test_the_latest_calls_that_move_are_named(stored: Stored) -> None:
    calls = [record(number) for number in range(9)]
    stored.fill(calls)
    report = compare(stored, configured(), configured(TO_SMALL), examples=2)
    assert [moved.call_id for moved in report.examples] == [
        call_id.show(calls[8].id),
        call_id.show(calls[7].id),
    ]
    first = report.examples[0]
    assert (first.before, first.after, first.rule) == ("upstream", "small", "letters")
    assert first.reason == "the rule names this small model"


def test_a_small_model_answers_as_often_as_it_did(stored: Stored) -> None:
    fell_back = [record(20 + n, fallback="confidence", rule="letters", confidence=0.3) for n in range(2)]
    reports = [chat(f"This is report number {n} of many") for n in range(10)]
    stored.fill(
        [
            *(_replaced(n) for n in range(8)),
            *fell_back,
            *(record(40 + n, body) for n, body in enumerate(reports)),
        ]
    )
    to_both = {"name": "all", "when": {"user": ["*letter*", "*report*"]}, "route": "small"}
    report = compare(stored, configured(TO_SMALL), configured(to_both))
    assert report.today.replaced == 8
    assert report.other.replaced == pytest.approx(8 + 10 * 0.8)  # 2 of 10 letters came back
    assert report.recorded_rate == pytest.approx(8 / 20)


def test_what_fell_back_under_another_rule_says_nothing_of_this_small_model(stored: Stored) -> None:
    stored.fill([record(n, fallback="confidence", rule="of old", confidence=0.3) for n in range(4)])
    report = compare(stored, configured(), configured(TO_SMALL))
    assert report.other.replaced == 4
    assert "small has never been asked" in " ".join(report.notes)


def test_rules_that_send_back_cost_the_list_price(stored: Stored) -> None:
    stored.fill(
        [*(_replaced(n) for n in range(4)), *(record(10 + n, chat("Else, somebody said")) for n in range(4))]
    )
    report = compare(stored, configured(TO_SMALL), configured())
    assert (report.today.replaced, report.other.replaced) == (4, 0)
    assert report.today.dollars == pytest.approx(4 * SMALL_DOLLARS + 4 * UPSTREAM_DOLLARS)
    assert report.other.dollars == pytest.approx(8 * UPSTREAM_DOLLARS)
    assert report.today.latency_ms["p50"] < 1000 < report.today.latency_ms["p95"] + 100
    assert report.other.latency_ms["p50"] == pytest.approx(1000, rel=0.05)


def test_calls_without_a_price_are_told(stored: Stored) -> None:
    stored.fill([record(n, requested_model="house-9b", served_model="house-9b") for n in range(3)])
    report = compare(stored, configured(), configured())
    assert report.other.unpriced == 3
    assert "3 calls go to models without a price" in " ".join(report.notes)


def _pairs(stored: Stored, understudy: str, agreed: int, disagreed: int) -> None:
    deployments = Deployments(stored.engine)
    deployments.create(DeploymentRow(understudy, "letters/sort", "label", "heads", understudy, "/nowhere"))
    outcomes = [True] * agreed + [False] * disagreed
    pairs = [
        PairRow(understudy, call_id.show(record(1000 + n).id), "shadow", n, outcome)
        for n, outcome in enumerate(outcomes)
    ]
    deployments.apply([Change(understudy, b"", pairs)], at=1)


def test_agreement_is_that_of_the_pairs_weighted_by_calls(stored: Stored) -> None:
    _pairs(stored, "small", 95, 5)
    stored.fill([record(number) for number in range(30)])
    report = compare(stored, configured(), configured(TO_SMALL))
    known = report.other.agreement
    assert known is not None
    assert known.estimate == 0.95
    assert known.lower == pytest.approx(lower_bound(95, 100, 0.025))
    assert known.upper == pytest.approx(upper_bound(95, 100, 0.025))
    assert known.known == 1.0
    assert report.today.agreement is None


def test_agreement_that_is_known_of_some_only(stored: Stored) -> None:
    _pairs(stored, "small", 50, 0)
    reports = [chat(f"This is report number {n} of many") for n in range(30)]
    stored.fill([*(record(n) for n in range(10)), *(record(50 + n, body) for n, body in enumerate(reports))])
    to_tiny = {"name": "reports", "when": {"user": "*report*"}, "route": "tiny"}
    report = compare(stored, configured(), configured(TO_SMALL, to_tiny))
    known = report.other.agreement
    assert known is not None
    assert known.known == 0.25
    assert "the agreement is that of 25% of the replaced calls" in " ".join(report.notes)


class Letters:
    """Recognises letters, and has an understudy for them."""

    def __init__(self, proposal: Proposal) -> None:
        self.proposal = proposal

    def propose(self, query: Query) -> Proposal | None:
        return self.proposal if "letter" in str(query.body) else None


@pytest.mark.parametrize(("asked", "rate"), [(0.95, 1.0), (0.99, 0.0)])
def test_learned_understudies_follow_what_rules_ask(stored: Stored, asked: float, rate: float) -> None:
    stored.fill([record(number) for number in range(6)])
    other = configured(defaults={"min_agreement": asked})
    learned = Letters(Proposal("letters/sort", "letters/sort@1", 0.97, 0.95))
    report = compare(stored, configured(defaults={"route": "upstream"}), other, learned=learned)
    assert report.other.replacement_rate == rate
    assert {group.name for group in report.tasks} == {"letters/sort"}


def test_a_share_of_sessions(stored: Stored) -> None:
    bodies = [chat(f"This is a letter of customer {n} to us") for n in range(400)]
    stored.fill([record(number, body) for number, body in enumerate(bodies)])
    report = compare(stored, configured(), configured({**TO_SMALL, "share": 0.25}))
    assert 0.2 < report.other.replacement_rate < 0.3  # the sessions are fixed, so this holds always or never


def test_what_cannot_be_decided_stays(stored: Stored) -> None:
    stored.fill(
        [record(1), record(2, request=None, response=None), _replaced(3, request=None, response=None)]
    )
    report = compare(stored, configured(), configured(TO_SMALL))
    assert report.undecided == 2
    assert (report.today.replaced, report.other.replaced) == (1, 2)
    assert "2 calls were stored without their whole content" in " ".join(report.notes)


def test_headers_that_are_not_kept_are_told(stored: Stored) -> None:
    stored.fill([record(1, session="vip")])
    rule: Mapping[str, Any] = {"name": "red", "when": {"header.x-team": "red"}, "route": "small"}
    kept = {"name": "vip", "when": {"header.x-understudy-session": "vip"}, "route": "small"}
    report = compare(stored, configured(), configured(rule, kept))
    assert report.other.replaced == 1
    assert "rule 'red' asks for the header 'x-team'" in report.notes[0]
    assert "'vip'" not in " ".join(report.notes)


def test_an_empty_log(stored: Stored) -> None:
    report = compare(stored, configured(), configured(TO_SMALL))
    assert (report.today.calls, report.other.replacement_rate, report.today.latency_ms) == (0, 0.0, {})
