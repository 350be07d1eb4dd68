"""The whole log in order, on both databases."""

from __future__ import annotations

import pytest

from store import parts_list
from store.record import Record
from store.scan import Scan
from tests.store.database.conftest import START_US, CallMaker, Opened


def _scan(opened: Opened, since: int | None = None, until: int | None = None) -> Scan:
    return Scan(opened.engine, opened.sealer, since, until)


def _stored(opened: Opened, records: list[Record]) -> None:
    assert opened.sink().write(records, []) == len(records)


def test_calls_come_in_order_with_what_rules_ask(opened: Opened, new_call: CallMaker) -> None:
    _stored(
        opened, [new_call(number, task="support/label", session=f"customer {number}") for number in range(5)]
    )
    scan = _scan(opened)
    (calls,) = scan.batches()
    assert [call.started for call in calls] == [START_US + number * 1_000_000 for number in range(5)]
    assert {scan.labels()[call.series].task for call in calls} == {"support/label"}
    assert [scan.session_name(call) for call in calls] == [f"customer {number}" for number in range(5)]
    assert calls[0].input + calls[0].cached_input == 100


def test_parts_are_opened_one_by_one(opened: Opened, new_call: CallMaker) -> None:
    said = "a question that is long enough to be a part of its own"
    _stored(opened, [new_call(1, new_call.chat(said))])
    scan = _scan(opened)
    ((call,),) = scan.batches()
    parts = parts_list.request_of(bytes(call.parts))
    scan.fetch(parts.ids)
    assert any(said.encode() in scan.part(number) for number in parts.ids[1:])
    assert scan.circumstances(parts.ids[0]).method == "POST"
    with pytest.raises(KeyError):
        scan.part(999_999)


def test_a_window_has_an_end(opened: Opened, new_call: CallMaker) -> None:
    _stored(opened, [new_call(number) for number in range(6)])
    scan = _scan(opened, START_US + 2_000_000, START_US + 4_000_000)
    assert scan.count() == 2
    assert sum(len(batch) for batch in scan.batches()) == 2


def test_an_empty_log_has_no_batches(opened: Opened) -> None:
    assert _scan(opened).count() == 0
    assert list(_scan(opened).batches()) == []
