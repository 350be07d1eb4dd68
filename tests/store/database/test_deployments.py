"""Deployments, their moves, pairs and trials; on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from store import call_id as call_ids
from store.database import open_engine
from store.deployments import Change, DeploymentRow, Deployments, MoveRow, PairRow, TrialRow
from store.errors import DatabaseAway, Outdated, StoreError
from store.history import History
from store.leases import Leases
from store.pair_answers import PairAnswers
from store.routers import CurrentRouter, Routers
from wire.answer import Answer, ToolCall

if TYPE_CHECKING:
    from tests.store.database.conftest import Opened


NAME = "support/ticket-label@1"


def _row(understudy: str = NAME, **fields: object) -> DeploymentRow:
    values: dict[str, object] = {
        "task": "support/ticket-label",
        "kind": "label",
        "engine": "heads",
        "model": understudy,
        "files": "/artifacts/1",
        "offline": {"lower": 0.97, "sentence": "fine"},
    }
    return DeploymentRow(understudy=understudy, **values | fields)  # type: ignore[arg-type]


def _id(number: int) -> str:
    return call_ids.show(number.to_bytes(16, "big"))


def _pair(number: int, agreed: bool | None = True, request: bytes = b"") -> PairRow:
    return PairRow(
        NAME, _id(number), "shadow", number, agreed, 1.0, 0.5, "the same label", request, 7, 8, b"x"
    )


def test_a_deployment_is_read_as_it_was_created(engine: Engine) -> None:
    deployments = Deployments(engine)
    deployments.create(_row())
    deployments.create(_row("other@1", task="other", state="demoted"))
    assert deployments.get(NAME) == _row()
    assert [row.understudy for row in deployments.list()] == sorted([NAME, "other@1"])
    assert [row.understudy for row in deployments.list(task="other")] == ["other@1"]
    assert deployments.list(live_only=True) == []
    assert deployments.get("nobody") is None
    with pytest.raises(StoreError, match="exists already"):
        deployments.create(_row())


def test_pairs_evidence_and_move_are_one(engine: Engine) -> None:
    deployments = Deployments(engine)
    deployments.create(_row())
    move = MoveRow("observe", "shadow", "offline", "good enough", {"lower": 0.97})
    deployments.record(NAME, [_pair(1), _pair(2, agreed=None)], b"evidence", move, at=5)
    row = deployments.get(NAME)
    assert row is not None
    assert (row.state, row.evidence, row.revision) == ("shadow", b"evidence", 1)
    assert deployments.moves(NAME) == [
        MoveRow("observe", "shadow", "offline", "good enough", {"lower": 0.97}, 5)
    ]
    assert deployments.pairs(NAME) == [_pair(2, agreed=None), _pair(1)]
    assert deployments.pairs(NAME, limit=1) == [_pair(2, agreed=None)]
    assert [found.understudy for found in deployments.list(live_only=True)] == [NAME]


def test_what_was_changed_in_between_is_not_overwritten(engine: Engine) -> None:
    deployments = Deployments(engine)
    deployments.create(_row())
    deployments.apply([Change(NAME, b"first", revision=0)], at=1)
    with pytest.raises(Outdated, match="ticket-label@1"):
        deployments.apply([Change(NAME, b"second", [_pair(1)], revision=0)], at=2, cursors={"arrivals": "9"})
    with pytest.raises(Outdated):
        deployments.record(NAME, [], b"", MoveRow("shadow", "canary5", "certified", ""), at=2)
    row = deployments.get(NAME)
    assert row is not None
    assert row.evidence == b"first"
    assert deployments.pairs(NAME) == []


def test_trials_wait_once_and_end_with_their_pair(engine: Engine) -> None:
    deployments = Deployments(engine)
    deployments.create(_row())
    waiting = [TrialRow(NAME, _id(number), "shadow", queued=number) for number in (1, 2, 3)]
    deployments.apply([], at=1, queued=waiting)
    deployments.apply([], at=1, queued=waiting)
    assert deployments.trials([NAME], "shadow", limit=10) == waiting
    assert deployments.trials([NAME], "shadow", limit=1) == waiting[:1]
    assert deployments.trials(["nobody"], "shadow", limit=10) == []
    assert deployments.trials([NAME], "audit", limit=10) == []
    assert deployments.waiting() == {NAME: 3}
    deployments.apply([Change(NAME, b"", [_pair(1)])], at=1, done=waiting[:1])
    assert deployments.trials([NAME], "shadow", limit=10) == waiting[1:]
    assert deployments.drop_trials(before=3, at_work=[NAME]) == 1
    assert deployments.drop_trials(before=0, at_work=[]) == 1


def test_an_equal_request_is_found(engine: Engine) -> None:
    deployments = Deployments(engine)
    deployments.create(_row())
    deployments.record(NAME, [_pair(1, request=b"r" * 16)], b"", None, at=1)
    assert deployments.repeated(NAME, b"r" * 16) == _id(1)
    assert deployments.repeated(NAME, b"s" * 16) is None


def test_answers_are_sealed_for_their_pair(opened: Opened) -> None:
    answers = PairAnswers(opened.sealer)
    said = Answer("a name", (ToolCall("find", '{"id": 1}'),), "stop")
    sealed = answers.seal(NAME, _id(1), said)
    assert b"a name" not in sealed
    assert answers.open(NAME, _id(1), sealed) == said
    assert answers.open(NAME, _id(1), b"") is None


def test_one_holder_has_a_lease_until_it_expires(engine: Engine) -> None:
    leases = Leases(engine)
    assert leases.take("gate", "one", now=0, until=10)
    assert not leases.take("gate", "two", now=5, until=15)
    assert leases.take("gate", "one", now=5, until=15)
    assert leases.take("gate", "two", now=16, until=20)
    leases.give_up("gate", "one")
    assert not leases.take("gate", "one", now=17, until=30)
    leases.give_up("gate", "two")
    assert leases.take("gate", "one", now=17, until=30)


def test_the_current_router_is_the_last_one_set(engine: Engine) -> None:
    routers = Routers(engine)
    assert routers.current() is None
    routers.set_current("/artifacts/router/main/1", "1", at=10, why="recognises 2 tasks")
    routers.set_current("/artifacts/router/main/2", "2", at=20, why="recognises 3 tasks")
    assert routers.current() == CurrentRouter("/artifacts/router/main/2", "2")
    assert [event.version for event in History(engine).since(0, 10)] == ["2", "1"]


def test_a_database_without_tables_is_away(empty_url: str) -> None:
    engine = open_engine(empty_url)
    with pytest.raises(DatabaseAway):
        Deployments(engine).list()
    with pytest.raises(DatabaseAway):
        Routers(engine).current()
    engine.dispose()
