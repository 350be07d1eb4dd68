"""The sink: each record once, in one transaction, whatever happens in between."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, Table, func, select

from store import histogram
from store.database import open_engine
from store.database_sink import DatabaseSink
from store.errors import SinkAway, SinkRefused
from store.keyring import KeyRing, Sealer
from store.prices import Prices
from store.record import CLIENT_LEFT, Record
from store.rollup import COUNTERS
from store.schema import calls, contents, rollups, series
from store.sink import Position
from store.window import DAY, EVER, HOUR, LEVELS, MINUTE

if TYPE_CHECKING:
    from tests.store.database.conftest import CallMaker, Opened


def _count(engine: Engine, table: Table) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _mixed(new_call: CallMaker, many: int) -> list[Record]:
    """Calls of both routes, some failed, some fallen back, spread over several hours."""
    kinds: Sequence[dict[str, object]] = (
        {},
        {
            "route": "slm",
            "target": "gpu0",
            "served_model": "intents-0.6b",
            "understudy": "intents",
            "task": "t1",
        },
        {"status": 500, "response": b'{"error": {"type": "server_error"}}'},
        {"fallback": "timeout", "duration_us": 90_000},
        {"requested_model": "never-heard-of", "served_model": "never-heard-of"},
        {"endpoint": "other", "request": b"x", "response": b"y"},
        {"status": CLIENT_LEFT, "first_byte_us": -1, "rule": "pinned"},
    )
    start = new_call(0).started_us
    return [
        new_call(number * 300, started_us=start + number * 300_000_000, **kinds[number % len(kinds)])
        for number in range(many)
    ]


def test_positions_are_kept_with_the_batch(opened: Opened, new_call: CallMaker) -> None:
    sink = opened.sink()
    assert sink.write([new_call(1)], [Position("a.seg", 10), Position("b.seg", 20)]) == 1
    assert sink.write([], [Position("a.seg", 30)]) == 0
    assert sink.positions() == {"a.seg": 30, "b.seg": 20}
    sink.forget(["a.seg", "never-there"])
    assert sink.positions() == {"b.seg": 20}


@pytest.mark.parametrize("restart", [False, True], ids=["same sink", "restarted"])
def test_replays_add_nothing(opened: Opened, new_call: CallMaker, restart: bool) -> None:
    records = _mixed(new_call, 20)
    sink = opened.sink()
    assert sink.write([*records[:12], *records[:3]], []) == 12
    before = _sums(opened.engine, MINUTE)
    if restart:
        sink = opened.sink()
    assert sink.write(records[:12], []) == 0
    assert _sums(opened.engine, MINUTE) == before
    assert sink.write(records[6:], []) == 8
    assert _count(opened.engine, calls) == 20
    assert _sums(opened.engine, EVER)["calls"] == 20


def test_rollups_of_every_level_are_the_sums_of_the_calls(opened: Opened, new_call: CallMaker) -> None:
    records = _mixed(new_call, 60)
    sink = opened.sink()
    for start in range(0, 60, 7):
        sink.write(records[start : start + 7], [])
    with opened.engine.connect() as connection:
        columns = [func.sum(calls.c[name]) for name in COUNTERS[3:]]
        row = connection.execute(select(func.count(), *columns)).one()
    expected = dict(zip(("calls", *COUNTERS[3:]), map(int, row), strict=True))
    assert expected["input"] == 60 * expected["output"] // 10
    for level in LEVELS:
        sums = _sums(opened.engine, level)
        assert {name: sums[name] for name in expected} == expected
        assert sums["errors"] == sum(record.status == 500 for record in records)
        assert sums["unpriced"] == sum(record.requested_model == "never-heard-of" for record in records)
        for name, values in {
            "latency": [record.duration_us for record in records],
            "overhead": [record.overhead_us for record in records],
            "first_byte": [record.first_byte_us for record in records if record.first_byte_us >= 0],
        }.items():
            counted: histogram.Histogram = {}
            for value in values:
                histogram.add(counted, value)
            assert _histogram(opened.engine, level, name) == counted
    assert _count_level(opened.engine, HOUR) < _count_level(opened.engine, MINUTE)
    assert _count_level(opened.engine, EVER) <= _count_level(opened.engine, DAY)


def test_what_repeats_is_stored_once(opened: Opened, new_call: CallMaker) -> None:
    said = ["Where is my order number 4711, please?"]
    sink = opened.sink()
    for number in range(20):
        answer = f"It is on its way and will arrive on day {number}."
        sink.write([new_call(number, new_call.chat(*said), new_call.answered(number, answer))], [])
        said += [answer, f"And is it certain that day {number} holds?"]
    in_the_conversation = 20 + 20 + 1  # answers, questions, instructions
    templates = _count(opened.engine, contents) - in_the_conversation
    assert templates < 10


def test_concurrent_sinks_store_each_record_once(opened: Opened, new_call: CallMaker) -> None:
    records = _mixed(new_call, 120)
    overlapping = [records[start : start + 30] for start in range(0, 120, 10)]
    sinks = [opened.sink() for _ in range(4)]

    def work(index: int) -> int:
        return sum(sinks[index].write(batch, []) for batch in overlapping[index::4])

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 120
    assert _count(opened.engine, calls) == 120
    assert _sums(opened.engine, EVER)["calls"] == 120
    for record in records[::17]:
        call = opened.calls.get(record.id.hex())
        assert call is not None
        assert len(call.request.data) > 0


def test_a_database_that_is_away_is_told_apart_from_a_value_it_refuses(
    ring: KeyRing, new_call: CallMaker, opened: Opened
) -> None:
    engine = open_engine("postgresql://nobody@127.0.0.1:1/nothing")
    away = DatabaseSink(engine, Sealer(ring), bytes(32), Prices())
    with pytest.raises(SinkAway):
        away.write([new_call(1)], [])
    with pytest.raises(SinkAway):
        away.positions()
    engine.dispose()
    with pytest.raises(SinkRefused):
        opened.sink().write([new_call(1, duration_us=1 << 63)], [Position("a.seg", 1)])
    assert opened.sink().positions() == {}
    assert _count(opened.engine, contents) == 0


def test_labels_from_outside_are_made_storable(opened: Opened, new_call: CallMaker) -> None:
    odd = new_call(1, requested_model="nul\x00" + "x" * 500, fallback="cause\x00", user_agent="\x00")
    assert opened.sink().write([odd], []) == 1
    with opened.engine.connect() as connection:
        model = connection.execute(select(series.c.model)).scalar_one()
    assert len(model) == 200
    assert opened.calls.get(odd.id.hex()) is not None


def _sums(engine: Engine, level: int) -> dict[str, int]:
    query = select(*(func.sum(rollups.c[name]) for name in COUNTERS)).where(rollups.c.level == level)
    with engine.connect() as connection:
        row = connection.execute(query).one()
    return dict(zip(COUNTERS, map(int, row), strict=True))


def _histogram(engine: Engine, level: int, name: str) -> histogram.Histogram:
    merged: histogram.Histogram = {}
    with engine.connect() as connection:
        for row in connection.execute(select(rollups.c[name]).where(rollups.c.level == level)):
            histogram.merge(merged, histogram.unpack(bytes(row[0])))
    return merged


def _count_level(engine: Engine, level: int) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).where(rollups.c.level == level)).scalar_one()
