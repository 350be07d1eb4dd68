"""What goes wrong around the gatekeeper is waited for, told, and never asked for twice."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import httpx2
import orjson
import pytest

from serving.endpoints.dialect import VllmDialect
from simulator.app import create_app
from simulator.faults import FaultPlan, parse
from simulator.server import RunningServer
from simulator.settings import Settings
from store import call_id as call_ids
from store.calls import Calls
from store.keyring import DIGEST, Sealer
from store.retention import purge
from tests.gatekeeper.stage import NAME, TASK, Labels, Stage, gatekeeper, staged

OTHER = f"{TASK}@2"

pytestmark = pytest.mark.timeout(600)


def test_without_a_key_for_audits_it_stays_at_the_first_canary(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/understudy.db"
    upstream = {"base_url": "http://127.0.0.1:9/v1", "api_key_env": "NO_SUCH_KEY"}
    with staged(tmp_path, url, upstreams={"llm": upstream}) as stage, gatekeeper(stage):
        stage.deploy(state="canary5")
        stage.work_until(lambda: stage.served >= 8, "the understudy answers some", 60)
        stage.eventually(lambda: NAME in stage.status().notes, "it says what is missing")
        assert stage.status().notes[NAME] == "it cannot be audited: NO_SUCH_KEY is not set"
        assert stage.state() == "canary5"


def test_a_refused_key_is_told_once_and_audits_wait(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/understudy.db"
    with staged(tmp_path, url, environ={"LLM_KEY": "right"}) as stage:
        stage.client.headers["authorization"] = "Bearer right"
        stage.deploy(state="live")
        with gatekeeper(stage) as running:  # the configuration names no key, and the LLM wants one
            stage.eventually(lambda: bool(stage.shares()), "it is published")
            stage.work(12)
            stage.eventually(lambda: "llm" in stage.status().servers, "the refusal is told")
        assert running.log.read_text().count("llm refuses what it is asked (status 401)") == 1
        assert stage.deployments.pairs(NAME) == []
        assert sum(stage.deployments.waiting().values()) > 0
        assert stage.state() == "live"


def test_an_engine_that_is_down_costs_no_evidence(stage: Stage) -> None:
    down = httpx2.URL(stage.small_url)
    stage.deploy(state="shadow", engine="absent")
    with gatekeeper(stage):
        stage.work(5)
        stage.eventually(lambda: "absent" in stage.status().servers, "it is told")
        assert stage.deployments.waiting() == {NAME: 5}
    assert down.port
    row = stage.deployments.get(NAME)
    assert row is not None
    assert b'"schema"' not in row.evidence


def test_trials_wait_for_an_engine_that_comes_back(tmp_path: Path) -> None:
    away = RunningServer(create_app(Labels(), settings=Settings(models=("*",), dialect=VllmDialect())))
    engines = {"late": {"kind": "heads", "base_url": away.base_url, "timeouts": {"first_byte": "500ms"}}}
    with staged(tmp_path, f"sqlite:///{tmp_path}/understudy.db", engines=engines) as stage:
        stage.deploy(state="shadow", engine="late")
        with gatekeeper(stage):
            stage.work(5)
            stage.eventually(lambda: stage.unread() == 0, "the calls are taken in")
            with away:
                stage.settle()
    assert len(stage.deployments.pairs(NAME)) == 5


def test_an_engine_that_stalls_holds_up_no_other(tmp_path: Path) -> None:
    plan = FaultPlan([parse("stall=head;seconds=300")])
    settings = Settings(models=("*",), dialect=VllmDialect())
    with (
        RunningServer(create_app(Labels(), settings=settings)) as quick,
        RunningServer(create_app(Labels(), plan, settings=settings)) as stalling,
    ):
        engines = {
            "stalling": {"kind": "heads", "base_url": stalling.base_url, "timeouts": {"first_byte": "300s"}},
            "quick": {"kind": "heads", "base_url": quick.base_url},
        }
        with staged(tmp_path, f"sqlite:///{tmp_path}/understudy.db", engines=engines) as stage:
            stage.deploy(state="shadow", engine="stalling")
            stage.deploy(OTHER, state="shadow", engine="quick")
            with gatekeeper(stage):
                stage.work(60)
                stage.eventually(lambda: len(stage.deployments.pairs(OTHER)) == 60, "the quick one is tried")
                assert stage.deployments.waiting() == {NAME: 60}


def test_the_budget_of_a_day_is_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/understudy.db"
    with staged(tmp_path, url, learning={"shadow_requests": 7}) as stage, gatekeeper(stage):
        stage.deploy(state="shadow")
        stage.work(20)
        stage.eventually(lambda: bool(stage.status().budget), "the budget is used up")
        assert stage.status().budget.startswith("the 7 requests of learning.shadow_requests are used up")
        assert len(stage.deployments.pairs(NAME)) == 7
        assert len(stage.small.seen) == 7


def test_a_restart_does_not_give_the_budget_of_the_day_anew(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/understudy.db"
    with staged(tmp_path, url, learning={"shadow_requests": 7}) as stage:
        stage.deploy(state="shadow")
        with gatekeeper(stage) as first:
            stage.work(20)
            stage.eventually(lambda: bool(stage.status().budget), "the budget is used up")
            first.kill()
        with gatekeeper(stage) as second:
            pid = second.process.pid
            stage.eventually(
                lambda: stage.status().pid == pid and bool(stage.status().budget), "the next one knows it"
            )
            assert stage.status().requests_today == 7
        assert len(stage.deployments.pairs(NAME)) == len(stage.small.seen) == 7


def test_dollars_bound_the_audits(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/understudy.db"
    with staged(tmp_path, url, learning={"shadow_dollars": 1e-9}) as stage, gatekeeper(stage):
        stage.deploy(state="live")
        stage.eventually(lambda: bool(stage.shares()), "it is published")
        stage.work(10)
        stage.eventually(lambda: "dollars" in stage.status().budget, "the dollars are used up")
        assert stage.status().dollars_today > 0


def test_a_call_that_was_erased_is_counted_and_left(stage: Stage) -> None:
    stage.deploy(state="shadow")
    stage.work(3)
    sealer = Sealer(stage.ring)
    calls = Calls(stage.engine, sealer, stage.ring.active.derive(DIGEST))
    purge(stage.engine, calls, call=calls.list()[0].id)
    stage.work(1, request=None, request_size=100, response=None, response_size=100)
    with gatekeeper(stage):
        stage.settle()
        stage.eventually(lambda: "its content was not stored" in stage.status().unusable, "it is counted")
    assert len(stage.deployments.pairs(NAME)) == 2


def test_an_unsure_understudy_abstains(stage: Stage) -> None:
    stage.deploy(state="shadow", threshold=0.9)  # the engine says nothing of its confidence
    with gatekeeper(stage):
        stage.work(4)
        stage.settle()
    assert {pair.agreed for pair in stage.deployments.pairs(NAME)} == {None}
    assert stage.state() == "shadow"


def test_one_that_is_never_sure_is_given_up(stage: Stage) -> None:
    """Nothing wrong is said, and every agent waits for it."""
    stage.deploy(state="shadow", threshold=0.9)
    with gatekeeper(stage):
        stage.work(120)
        stage.eventually(lambda: stage.state() == "demoted", "it is demoted")
    moves = stage.deployments.moves(NAME)
    assert moves[-1].rule == "coverage"
    assert "not sure of" in moves[-1].sentence


def test_a_broken_answer_is_not_an_unsure_one(stage: Stage) -> None:
    stage.deploy(state="shadow")
    schema = {"type": "json_schema", "json_schema": {"name": "ticket", "schema": {"type": "object"}}}
    messages = [{"role": "user", "content": "a ticket about billing"}]
    request = orjson.dumps({"model": "gpt-4o", "messages": messages, "response_format": schema})
    with gatekeeper(stage):
        stage.work(3, request=request)
        stage.settle()
    row = stage.deployments.get(NAME)
    assert row is not None
    health = orjson.loads(row.evidence)["health"]
    assert {kind: known["pairs"] for kind, known in health.items()} == {"schema": 3, "errors": 3}


@pytest.mark.parametrize(("threshold", "agreed"), [(0.98, True), (0.995, None)])
def test_one_on_vllm_is_as_sure_as_its_least_sure_token(
    tmp_path: Path, threshold: float, agreed: bool | None
) -> None:
    """The simulated engine gives each token 99%, when it is asked."""
    with staged(tmp_path, f"sqlite:///{tmp_path}/understudy.db", kind="vllm") as stage, gatekeeper(stage):
        stage.deploy(state="shadow", threshold=threshold)
        stage.work(3)
        stage.settle()
        pairs = stage.deployments.pairs(NAME)
        assert {pair.agreed for pair in pairs} == {agreed}
        assert [pair.confidence for pair in pairs] == pytest.approx([0.99] * 3, abs=1e-3)
        asked = [orjson.loads(seen.body) for seen in stage.small.seen if seen.method == "POST"]
        assert [body["logprobs"] for body in asked] == [True] * 3


def test_one_on_vllm_without_a_threshold_is_not_asked_how_sure_it_is(tmp_path: Path) -> None:
    with staged(tmp_path, f"sqlite:///{tmp_path}/understudy.db", kind="vllm") as stage, gatekeeper(stage):
        stage.deploy(state="shadow")
        stage.work(2)
        stage.settle()
        assert [pair.confidence for pair in stage.deployments.pairs(NAME)] == [None, None]
        assert not any(b"logprobs" in seen.body for seen in stage.small.seen)


def test_failures_that_agents_were_spared_demote(stage: Stage) -> None:
    stage.deploy(state="canary5")
    with gatekeeper(stage):
        stage.work(20, understudy="", route="upstream", fallback="schema")
        stage.eventually(lambda: stage.state() == "demoted", "broken answers demote")
    assert stage.deployments.moves(NAME)[-1].rule == "schema"


def test_an_engine_that_cannot_be_reached_does_not_demote(stage: Stage) -> None:
    stage.deploy(state="canary5")
    with gatekeeper(stage):
        stage.work(40, understudy="", route="upstream", fallback="connect")
        stage.settle()
    assert stage.state() == "canary5"


def test_a_successor_takes_the_place_of_the_older_one(stage: Stage) -> None:
    stage.deploy(state="live")
    stage.deploy("support/ticket-label@2")
    with gatekeeper(stage):
        stage.work_until(lambda: stage.state("support/ticket-label@2") == "live", "the newer one is live", 60)
        assert stage.state() == "demoted"
        assert stage.deployments.moves(NAME)[-1].rule == "superseded"
    shadowed = [
        pair for pair in stage.deployments.pairs("support/ticket-label@2", 500) if pair.source == "shadow"
    ]
    assert len(shadowed) >= 50


def test_what_is_damaged_or_away_changes_nothing_that_is_published(stage: Stage, tmp_path: Path) -> None:
    stage.deploy(state="live")
    with gatekeeper(stage):
        stage.eventually(lambda: bool(stage.shares()), "it is published")
    path = stage.configuration.published
    before = path.read_bytes()
    database = tmp_path / "understudy.db"
    stage.engine.dispose()
    database.rename(tmp_path / "elsewhere.db")
    database.mkdir()
    with gatekeeper(stage) as running:
        stage.eventually(lambda: "the database is away" in running.log.read_text(), "that is told")
        assert path.read_bytes() == before
        database.rmdir()
        (tmp_path / "elsewhere.db").rename(database)
        stage.eventually(lambda: stage.status().leads, "it goes on when the database is back")
        path.unlink()
        stage.eventually(path.exists, "what was removed is published again")
    assert path.read_bytes() == before


@pytest.mark.parametrize("age", [2.0])
def test_trials_of_the_day_before_are_forgotten(stage: Stage, age: float) -> None:
    stage.deploy(state="shadow", engine="absent")
    stage.work(2)
    with gatekeeper(stage):
        stage.eventually(lambda: stage.deployments.waiting() == {NAME: 2}, "two wait")
    old = int((time.time() - age * 86_400) * 1e6)
    waiting = stage.deployments.trials([NAME], "shadow", 10)
    stage.deployments.apply([], at=1, done=waiting)
    stage.deployments.apply([], at=1, queued=[dataclasses.replace(trial, queued=old) for trial in waiting])
    with gatekeeper(stage):
        stage.eventually(lambda: not stage.deployments.waiting(), "they are gone")
    assert call_ids.parse(waiting[0].call_id) is not None
