"""What is published takes effect in a running proxy; what cannot be trusted does not."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli.context import key_file
from router.decision import Query
from router.fingerprint import Fingerprints
from router.gate.states import SHARES, State
from router.recogniser import FILE_NAME, encode
from router.trained import NOTHING
from serving.publication import HEADS, Deployment, Publication, publish
from simulator.server import RunningServer
from store.artifacts import ArtifactStore
from store.keyring import KeyRing
from tests.proxy.conftest import StartProxy
from tests.proxy.engine import engine
from tests.proxy.raw import Answer, connected, request
from tests.proxy.running import RunningProxy, wait_for

TASK = "support/ticket-label"
SYSTEM = "You label support tickets. Answer with one word."
ALL: dict[str, Any] = {"defaults": {"min_agreement": 0.9}}


def body(user: str, system: str = SYSTEM) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return {"model": "gpt-4o", "messages": messages}


async def ask(proxy: RunningProxy, user: str = "My card is gone.", *lines: str, **more: Any) -> Answer:
    content = json.dumps(body(user) | more).encode()
    async with connected(proxy.port) as client:
        await client.send(
            request("POST", "/v1/chat/completions", content, "content-type: application/json", *lines)
        )
        return await client.answer()


def route(answer: Answer) -> tuple[bytes | None, bytes | None]:
    return answer.header("x-understudy-route"), answer.header("x-understudy-fallback")


class Publisher:
    """The gatekeeper's part, played by the test."""

    def __init__(self, proxy: RunningProxy) -> None:
        self.proxy = proxy
        self.ring = KeyRing.load(key_file(proxy.configuration), proxy.environ)
        self.path = proxy.configuration.published
        self.path.parent.mkdir(exist_ok=True)
        self.artifacts = ArtifactStore(proxy.configuration.artifacts, self.ring)
        self.router = ""

    def train(self, *systems: str) -> Path:
        """A router artifact that knows the calls with these instructions."""
        return self.learn(
            *(Query("chat.completions", body("x", system), 100) for system in systems or (SYSTEM,))
        )

    def learn(self, *queries: Query) -> Path:
        """A router artifact that knows calls like these."""
        fingerprints = Fingerprints()
        keys = {fingerprints.read(query).key: 0 for query in queries}
        learned = replace(NOTHING, targets=(TASK,), keys=keys, version=f"run-{len(queries)}")
        with self.artifacts.create("router", "router") as draft:
            draft.write(FILE_NAME, encode(learned))
            path = draft.commit({}).path
        self.router = str(path)
        return path

    def publish(
        self, *states: State, version: str, threshold: float = 0.0, engine_name: str = HEADS, model: str = ""
    ) -> None:
        """Publish understudies of the one task in these states, numbered from 1."""
        deployments = tuple(
            Deployment(
                understudy=f"{TASK}@{number}",
                task=TASK,
                kind="label",
                state=state,
                engine=engine_name,
                model=model or f"{TASK}@{number}",
                files="",
                share=SHARES[state],
                threshold=threshold,
                agreement=0.96,
                confidence=0.95,
            )
            for number, state in enumerate(states, 1)
        )
        publish(self.path, Publication(version, self.router, deployments), self.ring)

    def await_version(self, version: str) -> None:
        wait_for(lambda: self.status.version == version, f"{version} is in force")

    @property
    def status(self) -> Any:
        published = self.proxy.worker.published
        assert published is not None
        return published.status()


async def test_from_nothing_to_live_and_demoted(start_proxy: StartProxy, llm: RunningServer) -> None:
    async with engine("card", "x-understudy-confidence: 0.97") as heads:
        proxy = start_proxy(llm.url, heads=f"{heads.url}/v1", **ALL)
        publisher = Publisher(proxy)
        answer = await ask(proxy)
        assert (route(answer), answer.header("x-understudy-task")) == ((b"upstream", None), None)

        publisher.train()
        publisher.publish(version="one")
        publisher.await_version("one")
        answer = await ask(proxy)
        assert (route(answer), answer.header("x-understudy-task")) == ((b"upstream", None), TASK.encode())

        publisher.publish("live", version="two", threshold=0.9)
        publisher.await_version("two")
        answer = await ask(proxy)
        assert route(answer) == (b"slm", None)
        assert answer.header("x-understudy-confidence") == b"0.97"
        assert json.loads(answer.body)["choices"][0]["message"]["content"] == "card"
        assert json.loads(heads.requests[0].body)["model"] == f"{TASK}@1"

        publisher.publish("demoted", version="three")
        publisher.await_version("three")
        assert route(await ask(proxy)) == (b"upstream", None)
        assert publisher.status.deployments == {"demoted": 1}
    records = proxy.records(4)
    assert [record.task for record in records] == ["", TASK, TASK, TASK]
    assert [record.understudy for record in records] == ["", "", f"{TASK}@1", ""]
    assert [record.confidence for record in records] == [None, None, 0.97, None]
    assert records[2].target == HEADS


@pytest.mark.parametrize(
    ("line", "confidence"),
    [
        ("x-understudy-confidence: 0.899", 0.899),
        ("x-understudy-confidence: sure", None),
        ("x-understudy-confidence: nan", None),
        ("x-understudy-confidence: 97", None),
        ("x-other: 1", None),
    ],
)
async def test_an_understudy_that_is_not_sure_hands_the_call_over(
    start_proxy: StartProxy, llm: RunningServer, line: str, confidence: float | None
) -> None:
    async with engine("card", line) as heads:
        proxy = start_proxy(llm.url, heads=f"{heads.url}/v1", **ALL)
        publisher = Publisher(proxy)
        publisher.train()
        publisher.publish("live", version="one", threshold=0.9)
        publisher.await_version("one")
        assert route(await ask(proxy)) == (b"upstream", b"confidence")
    record = proxy.record()
    assert (record.route, record.fallback, record.confidence) == ("upstream", "confidence", confidence)


async def test_a_worker_begins_with_what_is_published(
    start_proxy: StartProxy, llm: RunningServer, tmp_path: Path
) -> None:
    async with engine("card") as heads:
        first = start_proxy(llm.url, heads=f"{heads.url}/v1", **ALL)
        publisher = Publisher(first)
        publisher.train()
        publisher.publish("live", version="one")
        second = start_proxy(llm.url, heads=f"{heads.url}/v1", **ALL)
        assert route(await ask(second)) == (b"slm", None)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "published.json"),
        (b"", "published.json"),
        (b'{"publication": {}}', "published.json"),
        (None, "gone"),
    ],
    ids=["torn", "empty", "unsigned", "missing"],
)
async def test_a_bad_file_leaves_the_last_good_one_in_force(
    start_proxy: StartProxy, llm: RunningServer, content: bytes | None, told: str
) -> None:
    async with engine("card") as heads:
        proxy = start_proxy(llm.url, heads=f"{heads.url}/v1", **ALL)
        publisher = Publisher(proxy)
        publisher.train()
        publisher.publish("live", version="one")
        publisher.await_version("one")
        if content is None:
            publisher.path.unlink()
        else:
            publisher.path.write_bytes(content)
        wait_for(lambda: publisher.status.error, "the file is refused")
        assert told in publisher.status.error
        assert route(await ask(proxy)) == (b"slm", None)
        publisher.publish(version="two")
        publisher.await_version("two")
        assert publisher.status.error is None


async def test_a_file_signed_with_another_key(start_proxy: StartProxy, llm: RunningServer) -> None:
    proxy = start_proxy(llm.url)
    publisher = Publisher(proxy)
    publisher.ring = KeyRing.load(publisher.path.with_name("foreign-keys"), {})
    publisher.publish("live", version="one")
    wait_for(lambda: publisher.status.error, "the file is refused")
    assert publisher.status.version == ""


async def test_a_corrupt_router_stays_out_and_the_demotion_beside_it_takes_effect(
    start_proxy: StartProxy, llm: RunningServer
) -> None:
    async with engine("card") as heads:
        proxy = start_proxy(llm.url, heads=f"{heads.url}/v1", **ALL)
        publisher = Publisher(proxy)
        publisher.train()
        publisher.publish("live", version="one")
        publisher.await_version("one")
        good = publisher.status.router
        corrupt = publisher.train(SYSTEM, "Another prompt.") / FILE_NAME
        corrupt.write_bytes(corrupt.read_bytes()[:-1] + b"?")
        publisher.publish("live", "shadow", version="two")
        publisher.await_version("two")
        assert str(corrupt) in publisher.status.error
        assert publisher.status.router == good
        assert route(await ask(proxy)) == (b"slm", None)
        publisher.publish("demoted", "shadow", version="three")
        publisher.await_version("three")
        answer = await ask(proxy)
        assert (route(answer), answer.header("x-understudy-task")) == ((b"upstream", None), TASK.encode())


async def test_a_canary_answers_the_same_sessions_all_the_time(
    start_proxy: StartProxy, llm: RunningServer
) -> None:
    async with engine("card") as heads:
        proxy = start_proxy(llm.url, heads=f"{heads.url}/v1", **ALL)
        publisher = Publisher(proxy)
        publisher.train()
        publisher.publish("canary25", version="one")
        publisher.await_version("one")
        routes: dict[str, set[bytes | None]] = {}
        for number in range(60):
            session = f"s{number % 20}"
            answer = await ask(proxy, f"Ticket {number}", f"x-understudy-session: {session}")
            routes.setdefault(session, set()).add(answer.header("x-understudy-route"))
    assert all(len(seen) == 1 for seen in routes.values())
    assert Counter(next(iter(seen)) for seen in routes.values()).keys() == {b"slm", b"upstream"}


async def test_learning_that_is_not_enabled_changes_nothing(
    start_proxy: StartProxy, llm: RunningServer
) -> None:
    proxy = start_proxy(llm.url, learning={"enabled": False})
    publisher = Publisher(proxy)
    publisher.train()
    publisher.publish("live", version="one")
    assert proxy.worker.published is None
    answer = await ask(proxy)
    assert (route(answer), answer.header("x-understudy-task")) == ((b"upstream", None), None)


async def test_it_is_told_in_the_statistics(start_proxy: StartProxy, llm: RunningServer) -> None:
    async with engine("card") as heads:
        proxy = start_proxy(llm.url, heads=f"{heads.url}/v1", **ALL)
        publisher = Publisher(proxy)
        publisher.train()
        publisher.publish("live", "shadow", version="one")
        publisher.await_version("one")
        async with httpx2.AsyncClient(base_url=proxy.url) as client:
            report = (await client.get("/stats")).json()
            page = (await client.get("/metrics")).text
            table = (await client.get("/stats", headers={"accept": "text/plain"})).text
    assert report["learned"]["version"] == "one"
    assert report["learned"]["deployments"] == {"live": 1, "shadow": 1}
    assert report["engines"] == {
        HEADS: {"servers": [{"url": f"{heads.url}/v1", "in_flight": 0, "breaker": "closed", "load": None}]}
    }
    assert 'understudy_deployed{state="live"} 1.0' in page
    assert f'understudy_engine_breaker{{engine="heads",url="{heads.url}/v1"}} 0.0' in page
    assert "live 1, shadow 1" in table


async def test_swaps_under_load_cost_no_call(start_proxy: StartProxy, llm: RunningServer) -> None:
    """Publications and files change all the time while agents call; every call is answered, by one or the other."""
    async with engine("card") as heads:
        proxy = start_proxy(llm.url, heads=f"{heads.url}/v1", **ALL)
        publisher = Publisher(proxy)
        seen: Counter[tuple[int, bytes | None, bytes | None]] = Counter()
        ended = asyncio.Event()

        async def agent(name: int) -> None:
            number = 0
            while not ended.is_set():
                answer = await ask(proxy, f"Ticket {number} of {name}")
                assert answer.complete
                seen[(answer.status, *route(answer))] += 1
                number += 1

        agents = [asyncio.create_task(agent(name)) for name in range(4)]
        publisher.train()
        states: list[State] = ["live", "demoted", "live", "canary25", "live"]
        for number, state in enumerate(states):
            publisher.train()
            publisher.publish(state, version=str(number))
            await asyncio.to_thread(publisher.await_version, str(number))
        ended.set()
        await asyncio.gather(*agents)
    assert seen.keys() == {(200, b"slm", None), (200, b"upstream", None)}
