"""The pages about tasks, and feedback on calls."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from cli.context import key_file
from simulator.server import RunningServer
from store.database import open_engine, upgrade
from store.feedback import Feedback
from store.keyring import KeyRing, Sealer
from tests.proxy.conftest import StartProxy
from tests.proxy.running import RunningProxy
from tests.proxy.stored_tasks import LABEL, LIVE, PLAN, TRIED, fill

MOVED = ["observe", "shadow", "canary5"]


@pytest.fixture
def filled(proxy: RunningProxy) -> Iterator[httpx2.Client]:
    """A client of a proxy with four calls of one task, each compared."""
    with httpx2.Client(base_url=proxy.url, timeout=20) as client:
        for number in range(5):
            task = PLAN if number == 4 else LABEL
            client.post(
                "/v1/chat/completions",
                json={"model": "gpt-4o", "messages": [{"role": "user", "content": f"Ticket {number}"}]},
                headers={"x-understudy-task": task},
            ).raise_for_status()
        calls = [call.summary.id for call in proxy.shipped() if call.summary.task == LABEL]
        ring = KeyRing.load(key_file(proxy.configuration), proxy.environ)
        engine = open_engine(proxy.configuration.settings.store.url)
        fill(engine, ring, time.time_ns() // 1000, calls)
        engine.dispose()
        yield client


def page(client: httpx2.Client, path: str, **parameters: Any) -> Any:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_tasks_are_listed_by_their_calls(filled: httpx2.Client) -> None:
    tasks = page(filled, "/tasks")["tasks"]
    assert [(task["id"], task["calls"], task["share"]) for task in tasks] == [(LABEL, 4, 0.8), (PLAN, 1, 0.2)]
    label, plan = tasks
    assert (label["state"], label["understudy"], label["engine"]) == ("canary5", LIVE, "heads")
    assert label["agreement"] == {
        "lower": 0.951,
        "estimate": pytest.approx(2 / 3),
        "pairs": 3,
        "target": 0.95,
        "confidence": 0.95,
    }
    assert (label["coverage"], label["threshold"], label["answers"]) == (0.75, 0.8, 3)
    assert (plan["state"], plan["understudy"], plan["agreement"]) == ("observe", None, None)


def test_it_agrees_with_the_statistics(filled: httpx2.Client) -> None:
    groups = {group["name"]: group for group in page(filled, "/stats", by="task")["groups"]}
    for task in page(filled, "/tasks")["tasks"]:
        group = groups[task["id"]]
        assert {name: task[name] for name in ("calls", "replaced", "cost", "cost_avoided")} == {
            name: group[name] for name in ("calls", "replaced", "cost", "cost_avoided")
        }


def test_a_task_is_shown_with_its_evidence(filled: httpx2.Client) -> None:
    task = page(filled, f"/tasks/{LABEL}")
    assert (task["id"], task["calls"], task["window"]) == (LABEL, 4, "24h")
    tried, live = task["deployments"]
    assert (tried["understudy"], tried["state"], tried["moves"]) == (TRIED, "observe", [])
    assert live["pairs"] == {"shadow": 3, "audit": 1, "agreed": 2, "disagreed": 1, "abstained": 1}
    assert [live["moves"][0]["before"], *(move["after"] for move in live["moves"])] == MOVED
    assert live["moves"][0]["sentence"] == "98 of 100 held-out calls agree"
    assert live["offline"]["trials"] == 100


def test_samples_show_both_sides(filled: httpx2.Client) -> None:
    samples = page(filled, f"/tasks/{LABEL}/samples", limit=3)["samples"]
    assert [(sample["agreed"], sample["source"]) for sample in samples] == [
        (None, "shadow"),
        (False, "shadow"),
        (True, "audit"),
    ]
    shadow, audit = samples[0], samples[2]
    assert shadow["understudy_body"] == {"text": "other side of 3"}
    assert shadow["llm_body"]["text"]
    assert audit["llm_body"] == {"text": "other side of 1"}
    assert audit["request_body"]["messages"][0]["content"] == "Ticket 1"


def test_changes_are_listed_newest_first(filled: httpx2.Client, proxy: RunningProxy) -> None:
    changes = page(filled, "/changes")["changes"]
    version = proxy.configuration.version
    expected = [("move", LIVE), ("configuration", version), ("move", LIVE)]
    assert [(change["kind"], change["subject"]) for change in changes] == expected
    assert changes[0]["text"] == "shadow → canary5: more than 0.95 is established"
    assert changes[1]["text"] == "in force since the server was started"
    assert page(filled, "/changes", window="1h")["changes"] == changes[:2]
    assert page(filled, "/changes", limit=1)["changes"] == changes[:1]


@pytest.mark.parametrize("path", ["/tasks/no/such-task", "/tasks/old"])
def test_a_task_that_is_not_there(filled: httpx2.Client, path: str) -> None:
    answer = filled.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "task_not_found")


def test_nothing_was_learned_yet(proxy: RunningProxy) -> None:
    upgrade(proxy.configuration.settings.store.url)
    with httpx2.Client(base_url=proxy.url, timeout=20) as client:
        assert page(client, "/tasks") == {"window": "24h", "tasks": []}
        assert page(client, "/changes") == {"window": "24h", "changes": []}


# Feedback


def test_feedback_is_kept_and_the_last_word_counts(filled: httpx2.Client, proxy: RunningProxy) -> None:
    call = page(filled, "/calls")["calls"][0]["id"]
    for good, note in ((True, ""), (False, "wrong queue")):
        answer = filled.post("/feedback", json={"call_id": call, "good": good, "note": note})
        assert (answer.status_code, answer.json()) == (200, {"call_id": call, "good": good})
    ring = KeyRing.load(key_file(proxy.configuration), proxy.environ)
    engine = open_engine(proxy.configuration.settings.store.url)
    feedback = Feedback(engine, Sealer(ring))
    opinion = feedback.get(call)
    assert opinion is not None
    assert (opinion.good, opinion.note) == (False, "wrong queue")
    assert feedback.bad_calls([call]) == {call}
    engine.dispose()


@pytest.mark.parametrize(
    ("content", "status", "param"),
    [
        ({"call_id": "no id", "good": True}, 400, "call_id"),
        ({"good": True}, 422, "call_id"),
        ({"call_id": "x", "good": "yes"}, 422, "good"),
        ({"call_id": "x", "good": True, "score": 1}, 422, "score"),
        ({"call_id": "x", "good": True, "note": "x" * 10_001}, 422, "note"),
        ([], 422, ""),
    ],
)
def test_feedback_that_makes_no_sense(
    filled: httpx2.Client, content: object, status: int, param: str
) -> None:
    answer = filled.post(
        "/feedback", content=json.dumps(content), headers={"content-type": "application/json"}
    )
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["param"] == param


def test_of_another_site_nothing_is_taken(filled: httpx2.Client) -> None:
    answer = filled.post(
        "/feedback", json={"call_id": "x", "good": False}, headers={"origin": "https://elsewhere.example"}
    )
    assert answer.status_code == 403


def test_a_database_that_is_away(start_proxy: StartProxy, llm: RunningServer) -> None:
    proxy = start_proxy(llm.url, store={"url": "sqlite:///not-made-yet.db"})
    with httpx2.Client(base_url=proxy.url, timeout=20) as client:
        for answer in (
            client.get("/tasks"),
            client.post("/feedback", json={"call_id": "019a9d3c-5b1e-7c5e-b0a4-2f6b1c9d8e7f", "good": True}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_away")
