"""Statistics: what the owner is told, against calls counted by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from store.stats import GroupBy, Rates, Stats
from store.totals import BOUNDS_S, Totals
from store.window import Window

if TYPE_CHECKING:
    from tests.store.database.conftest import CallMaker, Opened

SLM: dict[str, object] = {
    "route": "slm",
    "target": "gpu0",
    "served_model": "intents-0.6b",
    "understudy": "intents",
    "task": "intent",
    "rule": "intents",
}


def test_the_report_of_a_small_day(opened: Opened, new_call: CallMaker) -> None:
    records = [
        *(new_call(number, duration_us=(number + 1) * 1000) for number in range(5)),
        *(new_call(number, duration_us=2000, first_byte_us=1000, **SLM) for number in range(5, 8)),
        new_call(8, fallback="timeout", task="intent"),
        new_call(9, fallback="schema", task="intent", status=502, response=b'{"error": {"type": "bad"}}'),
        new_call(10, b"x", b"y", endpoint="other", requested_model="", served_model=""),
    ]
    opened.sink().write(records, [])
    now = records[-1].started_us // 1_000_000 + 1
    report = Stats(opened.engine).read("24h", "task", now)
    assert (report.calls, report.routable, report.replaced, report.errors) == (11, 10, 3, 1)
    assert report.fallbacks == {"schema": 1, "timeout": 1}
    one = 60 * 2500 + 40 * 1250 + 10 * 10_000
    assert report.replacement_rate == Rates(calls=0.3, tokens=3 / 9, dollars=3 / 9)
    assert report.cost == pytest.approx((6 * one + 3 * 1100) / 1e9)
    assert report.cost_avoided == pytest.approx(3 * (one - 1100) / 1e9)
    assert (report.tokens.input, report.tokens.cached_input, report.tokens.output) == (540, 360, 90)
    assert report.tokens.reasoning == 18
    assert report.unpriced == 0
    assert report.latency_ms["slm"] == pytest.approx({"p50": 2, "p95": 2, "p99": 2}, rel=0.05)
    assert report.first_byte_ms["slm"]["p50"] == pytest.approx(1, rel=0.05)
    assert set(report.overhead_ms) == {"p50", "p99"}
    groups = {group.name: group for group in report.groups}
    assert {name: group.calls for name, group in groups.items()} == {"": 6, "intent": 5}
    assert groups["intent"].replacement_rate.calls == 0.6
    assert [group.name for group in report.groups] == ["", "intent"]


@pytest.mark.parametrize(
    ("window", "inside"),
    [("1h", 61), ("24h", 1441), ("7d", 7 * 1440 + 1), ("30d", 30 * 1440 + 1), ("all", 60_000)],
)
def test_windows_begin_on_a_border_of_their_finest_level(
    opened: Opened, new_call: CallMaker, window: Window, inside: int
) -> None:
    minutes = [0, 30, 60, 61, 1439, 1440, 1500, 7 * 1440, 7 * 1440 + 90, 30 * 1440, 32 * 1440]
    now = new_call(0).started_us // 1_000_000 + 40 * 86_400
    records = [new_call(40 * 86_400 - minute * 60) for minute in minutes]
    opened.sink().write(records, [])
    report = Stats(opened.engine).read(window, None, now)
    assert report.calls == sum(record.started_us // 1_000_000 >= report.since for record in records)
    assert report.calls >= sum(minute < inside - 1 for minute in minutes)
    assert report.since <= now - min(inside - 1, 40 * 1440) * 60


def test_an_empty_store_has_no_rates(opened: Opened) -> None:
    report = Stats(opened.engine).read("all", "model", 0)
    assert report.calls == 0
    assert report.replacement_rate == Rates(None, None, None)
    assert report.latency_ms == {}
    assert report.overhead_ms == {}
    assert report.groups == []


def test_unpriced_models_are_counted_and_cost_nothing(opened: Opened, new_call: CallMaker) -> None:
    opened.sink().write([new_call(1, requested_model="mystery", served_model="mystery")], [])
    report = Stats(opened.engine).read("all", None, 0)
    assert (report.unpriced, report.cost, report.replacement_rate.dollars) == (1, 0, None)


def test_totals_only_rise_and_their_buckets_are_cumulative(opened: Opened, new_call: CallMaker) -> None:
    sink = opened.sink()
    sink.write([new_call(1, duration_us=20_000), new_call(2, duration_us=2_000_000, **SLM)], [])
    before = {total.route: total for total in Totals(opened.engine).read()}
    sink.write([new_call(3, duration_us=20_000)], [])
    after = {total.route: total for total in Totals(opened.engine).read()}
    assert (before["upstream"].calls, after["upstream"].calls) == (1, 2)
    assert after["slm"] == before["slm"]
    assert after["slm"].cost_avoided > 0
    latency = after["upstream"].latency
    assert dict(zip(BOUNDS_S, latency.counts, strict=True))[0.01] == 0
    assert dict(zip(BOUNDS_S, latency.counts, strict=True))[0.025] == 2
    assert latency.counts[-1] == latency.count == 2
    assert latency.sum_seconds == pytest.approx(0.04, rel=0.05)


@pytest.mark.parametrize("window", ["1h", "30d", "all"])
@pytest.mark.parametrize("by", ["task", "rule", "model"])
def test_traffic_is_what_the_report_says(
    opened: Opened, new_call: CallMaker, window: Window, by: GroupBy
) -> None:
    records = [
        *(new_call(number * 50_000) for number in range(5)),
        *(new_call(number * 50_000 + 1, **SLM) for number in range(3, 6)),
        new_call(250_002, b"x", b"y", endpoint="other", requested_model="", served_model=""),
        new_call(250_003, task="intent", fallback="timeout"),
    ]
    opened.sink().write(records, [])
    now = records[-1].started_us // 1_000_000 + 1
    stats = Stats(opened.engine)
    traffic = stats.traffic(window, by, now)
    groups = stats.read(window, by, now).groups
    assert {
        group.name: (group.calls, group.routable, group.replaced, group.replacement_rate.calls)
        for group in groups
    } == {
        name: (one.calls, one.routable, one.replaced, one.replacement_rate) for name, one in traffic.items()
    }
    for group in groups:
        assert (group.cost, group.cost_avoided) == (
            traffic[group.name].cost,
            traffic[group.name].cost_avoided,
        )
