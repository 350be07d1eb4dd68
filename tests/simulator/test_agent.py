"""The demo agent on the support desk, and on a small model that makes mistakes."""

from __future__ import annotations

import subprocess
import sys

import httpx2
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from serving.endpoints.dialect import VllmDialect
from simulator.agent import AsyncSupportDeskAgent, SupportDeskAgent
from simulator.app import create_app
from simulator.desk.actions import action
from simulator.desk.prompts import QUEUES, SYSTEM
from simulator.desk.reading import Reading
from simulator.server import RunningServer
from simulator.settings import Settings
from simulator.small_model import SmallModelBrain
from simulator.support_desk import SupportDesk
from simulator.tickets import ticket, tickets

BODY = {"model": "slm-1", "messages": [{"role": "user", "content": "hello"}]}


def test_the_agent_finds_the_truth(client: OpenAI) -> None:
    agent = SupportDeskAgent(client)
    tools = set()
    for made in tickets(15, seed=7):
        worked = agent.work(made.text)
        assert (worked.label, worked.urgent, worked.fields) == (made.label, made.urgent, made.fields())
        expected = action(Reading(made.text))
        assert (worked.tool, worked.arguments) == (expected or ("", {}))
        assert worked.outcome
        assert worked.reply.endswith("Your support team")
        assert len(worked.plan.split()) > 100
        assert worked.queue == QUEUES[made.label]
        assert worked.calls == (8 if worked.tool else 7)
        tools.add(worked.tool)
    assert len(tools) >= 4


async def test_the_asynchronous_agent_does_the_same(server: RunningServer, client: OpenAI) -> None:
    made = ticket(3, seed=7)
    async with AsyncOpenAI(base_url=server.base_url, api_key="sk-test", max_retries=0) as sdk:
        worked = await AsyncSupportDeskAgent(sdk, planning=False).work(made.text)
    assert worked == SupportDeskAgent(client, planning=False).work(made.text)


def small(error_rate: float) -> RunningServer:
    brain = SmallModelBrain(SupportDesk(noise=0.0), error_rate)
    return RunningServer(create_app(brain, settings=Settings(models=("slm-1",), dialect=VllmDialect())))


def test_a_small_model_speaks_like_vllm() -> None:
    with small(0.0) as server, httpx2.Client(base_url=server.base_url) as http:
        whole = http.post("/chat/completions", json=BODY | {"top_k": 5}).json()
        assert whole["system_fingerprint"].startswith("vllm-")
        assert whole["kv_transfer_params"] is None
        assert set(whole["usage"]) == {
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "prompt_tokens_details",
            "completion_tokens_details",
        }
        assert whole["model"] == "slm-1"
        assert [model["id"] for model in http.get("/models").json()["data"]] == ["slm-1"]
        refused = http.post("/chat/completions", json=BODY | {"model": "gpt-4o"})
        assert (refused.status_code, refused.json()["error"]["type"]) == (404, "NotFoundError")
        streamed = http.post(
            "/chat/completions", json=BODY | {"stream": True, "stream_options": {"include_usage": True}}
        )
        assert '"usage":null' not in streamed.text
        assert '"prompt_tokens"' in streamed.text


def test_a_small_model_without_errors_does_the_agents_work() -> None:
    with small(0.0) as server, OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        assert (
            SupportDeskAgent(client, model="slm-1", planning=False).work(ticket(3).text).label
            == ticket(3).label
        )


def classified(http: httpx2.Client, text: str) -> str:
    messages = [{"role": "system", "content": SYSTEM["classify"]}, {"role": "user", "content": text}]
    answer = http.post("/chat/completions", json={"model": "slm-1", "messages": messages}).json()
    return str(answer["choices"][0]["message"]["content"])


def test_a_small_model_errs_at_its_rate_and_the_same_way_each_time() -> None:
    def labels() -> list[str]:
        with small(0.4) as server, httpx2.Client(base_url=server.base_url) as http:
            return [classified(http, made.text) for made in tickets(60)]

    first = labels()
    wrong = sum(label != made.label for label, made in zip(first, tickets(60), strict=True))
    assert 10 < wrong < 40
    assert labels() == first


def test_a_small_model_breaks_schemas() -> None:
    with small(1.0) as server, OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        agent = SupportDeskAgent(client, model="slm-1", planning=False)
        broken = 0
        for made in tickets(8):
            try:
                broken += agent.work(made.text).fields != made.fields()
            except (ValueError, openai.OpenAIError):
                broken += 1
        assert broken == 8


@pytest.mark.parametrize("name", ["simulator", "simulator.app", "simulator.support_desk", "cli.simulate"])
def test_the_sdk_is_not_needed_to_serve(name: str) -> None:
    script = f"import sys; sys.modules['openai'] = None; import {name}"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
