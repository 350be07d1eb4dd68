"""An agent with the official SDK, the proxy, and a real vLLM: what it answers, and what it cannot answer the LLM does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion

from serving.vllm.client import VllmClient
from simulator.app import create_app
from simulator.desk.prompts import SYSTEM
from simulator.server import RunningServer
from simulator.support_desk import SupportDesk
from tests.proxy.running import RunningProxy, start, wait_for

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]

ADAPTER = "desk@1"
CHOICE = {
    "type": "object",
    "properties": {"box": {"enum": ["in", "out"]}},
    "required": ["box"],
    "additionalProperties": False,
}
FORMAT: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "box", "strict": True, "schema": CHOICE},
}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "sort_letter", "parameters": CHOICE, "strict": True},
}
MESSAGES: list[Any] = [
    {"role": "system", "content": SYSTEM["classify"]},
    {"role": "user", "content": "Please cancel my purchase of two blue mugs, order #48213."},
]  # fmt: skip


@pytest.fixture(scope="module")
def llm() -> Iterator[RunningServer]:
    with RunningServer(create_app(SupportDesk(noise=0.0))) as running:
        yield running


@pytest.fixture
def proxy(llm: RunningServer, server: VllmClient, tmp_path: Path) -> Iterator[RunningProxy]:
    """Everything goes to the adapter that the server may or may not have."""
    running = start(
        tmp_path,
        llm.url,
        engines={"gpu": {"kind": "vllm", "base_url": f"{server.url}/v1"}},
        slms={"desk": {"engine": "gpu", "model": ADAPTER}},
        rules=[{"name": "all of it", "route": "desk"}],
    )
    yield running
    running.stop()


@pytest.fixture
def sdk(proxy: RunningProxy) -> Iterator[OpenAI]:
    with OpenAI(base_url=proxy.base_url, api_key="sk-agent", max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture
def loaded(server: VllmClient, adapter: Path) -> Iterator[None]:
    server.load_adapter(ADAPTER, adapter)
    yield
    server.unload_adapter(ADAPTER)


def _ask(sdk: OpenAI, **options: Any) -> tuple[ChatCompletion, str, str]:
    """The answer, its route and why there was a fallback."""
    raw = sdk.chat.completions.with_raw_response.create(
        **{"model": "gpt-4o-mini", "messages": MESSAGES, "temperature": 0, "max_tokens": 40, **options}
    )
    return raw.parse(), raw.headers["x-understudy-route"], raw.headers.get("x-understudy-fallback", "")


@pytest.mark.usefixtures("loaded")
def test_an_answer_bound_to_a_schema(sdk: OpenAI) -> None:
    answer, route, fallback = _ask(sdk, response_format=FORMAT)
    assert (route, fallback) == ("slm", "")
    assert json.loads(answer.choices[0].message.content or "")["box"] in ("in", "out")
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0


@pytest.mark.usefixtures("loaded")
def test_the_same_streamed_with_its_usage(sdk: OpenAI, proxy: RunningProxy) -> None:
    asked: dict[str, Any] = {"model": "gpt-4o-mini", "messages": MESSAGES, "temperature": 0, "max_tokens": 40}
    asked |= {"response_format": FORMAT, "stream": True, "stream_options": {"include_usage": True}}
    chunks = list(sdk.chat.completions.create(**asked))
    said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert json.loads(said)["box"] in ("in", "out")
    assert chunks[-1].usage is not None
    record = proxy.record()
    assert (record.route, record.understudy, record.stream) == ("slm", "desk", True)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called(sdk: OpenAI, proxy: RunningProxy, stream: bool) -> None:
    asked: dict[str, Any] = {"model": "gpt-4o-mini", "messages": MESSAGES, "max_tokens": 60, "temperature": 0}
    asked |= {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "sort_letter"}}}
    asked["frequency_penalty"] = 2.0  # a model that was hardly trained fills JSON with spaces else
    if stream:
        fragments = [
            call.function
            for chunk in sdk.chat.completions.create(**asked, stream=True)
            for choice in chunk.choices
            for call in choice.delta.tool_calls or ()
        ]
        name = "".join(each.name or "" for each in fragments if each)
        arguments = "".join(each.arguments or "" for each in fragments if each)
    else:
        called: Any = (sdk.chat.completions.create(**asked).choices[0].message.tool_calls or [])[0]
        name, arguments = called.function.name, called.function.arguments
    assert name == "sort_letter"
    assert json.loads(arguments)["box"] in ("in", "out")
    assert proxy.record().route == "slm"


@pytest.mark.usefixtures("loaded")
def test_free_text(sdk: OpenAI) -> None:
    """A model that was hardly trained says little but special tokens; they are shown, so that it says something."""
    shown = {"ignore_eos": True, "skip_special_tokens": False}
    answer, route, _ = _ask(sdk, max_tokens=12, extra_body=shown)
    assert route == "slm"
    assert answer.choices[0].message.content


@pytest.mark.parametrize("stream", [False, True])
def test_a_missing_adapter_is_answered_by_the_llm(sdk: OpenAI, proxy: RunningProxy, stream: bool) -> None:
    """The agent sees the LLM's answer, and nothing of the 404."""
    if stream:
        chunks = sdk.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True)
        said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    else:
        answer, route, fallback = _ask(sdk)
        said = answer.choices[0].message.content or ""
        assert (route, fallback) == ("upstream", "model_missing")
    assert said == "cancel_order"
    record = proxy.record()
    assert (record.status, record.fallback) == (200, "model_missing")


def test_a_call_that_is_too_long_for_it_is_answered_by_the_llm(sdk: OpenAI) -> None:
    """200 KB before a model that reads a thousand tokens."""
    long = [*MESSAGES[:1], {"role": "user", "content": MESSAGES[1]["content"] + " please" * 30_000}]
    answer, route, _ = _ask(sdk, messages=long)
    assert route == "upstream"
    assert answer.choices[0].message.content


def test_how_busy_it_is_stands_in_the_statistics(
    sdk: OpenAI, proxy: RunningProxy, server: VllmClient
) -> None:
    server.complete("/chat/completions", {"model": "base", "messages": MESSAGES, "max_tokens": 4})
    _ask(sdk)

    def load() -> Mapping[str, Any] | None:
        stats = httpx2.get(f"{proxy.url}/stats", timeout=20).json()
        found: Mapping[str, Any] | None = stats["engines"]["gpu"]["servers"][0]["load"]
        return found

    wait_for(lambda: load() is not None, "its metrics were read")
    found = load()
    assert found is not None
    assert found["prompt_tokens"] > 0
    assert {"running", "waiting", "cache_use", "generation_tokens", "preemptions"} <= set(found)
