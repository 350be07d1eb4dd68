"""Arrivals: each recognised call once, in the order of arrival; erased calls take what was kept about them along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store import call_id as call_ids
from store.arrivals import Arrivals
from store.deployments import DeploymentRow, Deployments, PairRow, TrialRow
from store.feedback import Feedback
from store.retention import purge, retain

if TYPE_CHECKING:
    from tests.store.database.conftest import CallMaker, Opened


_DAY = 86_400


def test_recognised_calls_arrive_once_whatever_their_ids(opened: Opened, new_call: CallMaker) -> None:
    arrivals, sink = Arrivals(opened.engine), opened.sink()
    late, early, unknown = new_call(1, task="a"), new_call(2, task="b"), new_call(3)
    sink.write([early, unknown], [])
    first = arrivals.since(0)
    assert first.calls == [early.id]
    sink.write([late, early], [])  # began before, arrived after; the other comes a second time
    second = arrivals.since(first.position)
    assert second.calls == [late.id]
    assert arrivals.since(second.position).calls == []
    assert arrivals.since(0, batches=1).position == first.position
    assert arrivals.last() == second.position


def test_positions_go_on_after_everything_was_forgotten(opened: Opened, new_call: CallMaker) -> None:
    arrivals, sink = Arrivals(opened.engine), opened.sink()
    sink.write([new_call(1, task="a")], [])
    position = arrivals.last()
    arrivals.forget(position)
    assert arrivals.last() == 0
    opened.sink().write([new_call(2, task="a")], [])
    assert arrivals.since(position).calls == [new_call(2).id]


def test_summaries_of_some_calls(opened: Opened, new_call: CallMaker) -> None:
    records = [new_call(number, task="a") for number in range(3)]
    opened.sink().write(records, [])
    found = opened.calls.summaries([records[2].id, records[0].id, bytes(16)])
    assert [call.id for call in found] == [call_ids.show(records[0].id), call_ids.show(records[2].id)]
    assert found == [opened.calls.list()[2], opened.calls.list()[0]]


def _kept(opened: Opened, ids: list[str]) -> Deployments:
    deployments = Deployments(opened.engine)
    deployments.create(DeploymentRow("a@1", "a", "label", "heads", "a@1", "/files"))
    deployments.record("a@1", [PairRow("a@1", each, "shadow", 1, True) for each in ids], b"", None, at=1)
    deployments.apply([], at=1, queued=[TrialRow("a@1", each, "shadow", 1) for each in ids])
    for each in ids:
        Feedback(opened.engine, opened.sealer).mark(each, good=False, note="", at=1)
    return deployments


def test_what_was_kept_about_an_erased_call_goes_with_it(opened: Opened, new_call: CallMaker) -> None:
    records = [new_call(number, task="a", session=f"s{number}") for number in range(2)]
    opened.sink().write(records, [])
    ids = [call_ids.show(record.id) for record in records]
    deployments = _kept(opened, ids)
    purge(opened.engine, opened.calls, session="s0")
    assert [pair.call_id for pair in deployments.pairs("a@1")] == ids[1:]
    assert [trial.call_id for trial in deployments.trials(["a@1"], "shadow", limit=10)] == ids[1:]
    assert Feedback(opened.engine, opened.sealer).bad_calls(ids) == set(ids[1:])


def test_retention_forgets_pairs_and_unread_arrivals(opened: Opened, new_call: CallMaker) -> None:
    record = new_call(1, task="a")
    opened.sink().write([record], [])
    deployments = _kept(opened, [call_ids.show(record.id)])
    now = record.started_us // 1_000_000
    retain(opened.engine, older_than=_DAY, now=now)
    assert len(deployments.pairs("a@1")) == 1
    assert Arrivals(opened.engine).last() == 1
    retain(opened.engine, older_than=_DAY, now=now + 900 * _DAY)
    assert deployments.pairs("a@1") == []
    assert Arrivals(opened.engine).last() == 0
