"""The timeline: points that add up to the report of the same window."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from store.stats import Rates, Stats
from store.timeline import Timeline
from store.window import Window

if TYPE_CHECKING:
    from tests.store.database.conftest import CallMaker, Opened

SLM: dict[str, object] = {"route": "slm", "target": "gpu0", "understudy": "intents", "task": "intent"}


def test_points_say_what_was_replaced_and_when(opened: Opened, new_call: CallMaker) -> None:
    records = [
        *(new_call(second, duration_us=4000) for second in range(4)),
        *(new_call(120 + second, duration_us=2000, **SLM) for second in range(3)),
        new_call(124, fallback="timeout", task="intent", status=502),
        new_call(125, b"x", b"y", endpoint="other", requested_model="", served_model=""),
    ]
    opened.sink().write(records, [])
    start = records[0].started_us // 1_000_000
    timeline = Timeline(opened.engine).read("1h", start + 300)
    assert timeline.width == 60
    first, second = (point for point in timeline.points if point.calls)
    assert (second.at - first.at) == 120
    assert (first.calls, first.routable, first.replaced) == (4, 4, 0)
    assert first.replacement_rate == Rates(0.0, 0.0, 0.0)
    assert (second.calls, second.routable, second.replaced, second.fallbacks) == (5, 4, 3, 1)
    assert second.replacement_rate.calls == 0.75
    assert second.cost_avoided > 0
    assert second.latency_ms["slm"] == pytest.approx({"p50": 2, "p95": 2}, rel=0.05)


@pytest.mark.parametrize("window", get_args(Window))
def test_points_add_up_to_the_report(opened: Opened, new_call: CallMaker, window: Window) -> None:
    minutes = [0, 3, 59, 61, 700, 1439, 1500, 7 * 1440 - 10, 7 * 1440 + 90, 29 * 1440, 39 * 1440]
    records = [new_call(40 * 86_400 - minute * 60) for minute in minutes]
    opened.sink().write(records, [])
    now = records[0].started_us // 1_000_000
    timeline = Timeline(opened.engine).read(window, now)
    calls = sum(point.calls for point in timeline.points)
    within = [each for each in records if each.started_us // 1_000_000 >= timeline.since]
    assert calls == len(within)
    assert len(timeline.points) <= 200
    assert all(point.at % timeline.width == 0 for point in timeline.points)
    if window == "all":
        assert calls == Stats(opened.engine).read("all", None, now).calls


def test_an_empty_database_has_no_points(opened: Opened) -> None:
    for window in get_args(Window):
        assert Timeline(opened.engine).read(window, 1_700_000_000).points == []


def test_what_comes_later_is_seen(opened: Opened, new_call: CallMaker) -> None:
    """A bucket is remembered as long as it counts the same; calls may come to any of them, however old."""
    sink, kept = opened.sink(), Timeline(opened.engine)
    now = new_call(200).started_us // 1_000_000
    for step, second in enumerate((0, 100, 199, 0, 60)):
        sink.write([new_call(second, id=bytes([step]) * 16, status=500, **SLM)], [])
        for window in get_args(Window):
            assert kept.read(window, now) == Timeline(opened.engine).read(window, now)
