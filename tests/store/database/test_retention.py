"""Forgetting: what is old or asked for goes, and no other call loses a word."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import Engine, Table, func, select

from store.calls import Filters
from store.record import Record
from store.retention import Forgotten, purge, retain
from store.schema import calls, contents, rollups
from store.stats import Stats
from store.window import DAY, MINUTE

if TYPE_CHECKING:
    from tests.store.database.conftest import CallMaker, Opened

DAY_US = DAY * 1_000_000


def _count(engine: Engine, table: Table) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _days(new_call: CallMaker, days: int, each: int = 3) -> list[Record]:
    """Calls on consecutive days, each with a text of its own and one that all share."""
    return [
        new_call(
            day * DAY + number,
            new_call.chat(
                "A question that everybody asks", f"An answer of day {day}", f"And {number} on day {day}?"
            ),
            new_call.answered(day * 10 + number, f"What was said to {number} on day {day}"),
        )
        for day in range(days)
        for number in range(each)
    ]


def _assert_whole(opened: Opened, records: list[Record]) -> None:
    for record in records:
        call = opened.calls.get(record.id.hex())
        assert call is not None
        assert record.request is not None
        assert record.response is not None
        assert json.loads(call.request.data) == json.loads(record.request)
        assert json.loads(call.response.data) == json.loads(record.response)


def test_what_is_too_old_goes_and_the_rest_stays_whole(opened: Opened, new_call: CallMaker) -> None:
    records = _days(new_call, 10)
    opened.sink().write(records, [])
    before = _count(opened.engine, contents)
    now = records[-1].started_us // 1_000_000
    gone = retain(opened.engine, older_than=4 * DAY, now=now)
    kept = [record for record in records if record.started_us // 1000 >= (now - 4 * DAY) * 1000]
    assert gone.calls == len(records) - len(kept) > 0
    assert gone.contents == before - _count(opened.engine, contents) > 0
    assert gone.minutes > 0
    _assert_whole(opened, kept)
    assert len(opened.calls.list(Filters(limit=100))) == len(kept)
    assert Stats(opened.engine).read("all", None, now).calls == len(records)
    with opened.engine.connect() as connection:
        oldest = connection.execute(
            select(func.min(rollups.c.bucket)).where(rollups.c.level == MINUTE)
        ).scalar_one()
    assert oldest >= now - 4 * DAY
    assert retain(opened.engine, older_than=4 * DAY, now=now) == Forgotten(0, 0, 0)


def test_a_sink_that_was_running_meanwhile_stores_swept_content_again(
    opened: Opened, new_call: CallMaker
) -> None:
    sink = opened.sink()
    sink.write(_days(new_call, 1), [])
    assert (
        retain(opened.engine, older_than=DAY, now=_days(new_call, 5)[-1].started_us // 1_000_000).calls == 3
    )
    assert _count(opened.engine, contents) == 0
    later = _days(new_call, 1)[0]
    again = new_call(7 * DAY, later.request, later.response)
    sink.write([again], [])
    _assert_whole(opened, [again])


def test_content_in_use_again_is_kept_from_then_on(opened: Opened, new_call: CallMaker) -> None:
    sink = opened.sink()
    first = _days(new_call, 1)[0]
    sink.write([first], [])
    second = new_call(6 * DAY, first.request, first.response)
    sink.write([second], [])
    retain(opened.engine, older_than=2 * DAY, now=second.started_us // 1_000_000)
    _assert_whole(opened, [second])
    assert opened.calls.get(first.id.hex()) is None


def test_an_erased_session_takes_only_its_own_words(opened: Opened, new_call: CallMaker) -> None:
    shared = "A question that everybody asks"
    theirs = [
        new_call(1, new_call.chat(shared), new_call.answered(1, "An answer only they got"), session="theirs")
    ]
    ours = [
        new_call(2, new_call.chat(shared), new_call.answered(2, "An answer for us alone"), session="ours")
    ]
    sink = opened.sink()
    sink.write([*theirs, *ours], [])
    before = _count(opened.engine, contents)
    gone = purge(opened.engine, opened.calls, session="theirs")
    assert gone == Forgotten(calls=1, contents=1)
    assert _count(opened.engine, contents) == before - 1
    assert opened.calls.session("theirs") == []
    _assert_whole(opened, ours)
    back = new_call(3, theirs[0].request, theirs[0].response)
    sink.write([back], [])
    _assert_whole(opened, [back])


def test_one_call_or_everything_before_a_moment_can_be_erased(opened: Opened, new_call: CallMaker) -> None:
    records = _days(new_call, 3)
    opened.sink().write(records, [])
    assert purge(opened.engine, opened.calls, call=records[0].id.hex()).calls == 1
    _assert_whole(opened, records[1:])
    assert purge(opened.engine, opened.calls, call="no id") == Forgotten(0, 0)
    assert purge(opened.engine, opened.calls, before=records[-1].started_us // 1_000_000).calls == 7
    _assert_whole(opened, records[-1:])
    assert purge(opened.engine, opened.calls, before=records[-1].started_us // 1_000_000 + 1).calls == 1
    assert _count(opened.engine, calls) == _count(opened.engine, contents) == 0
