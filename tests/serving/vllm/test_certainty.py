"""How sure a real vLLM was: the same number whole, streamed and by transformers; and nothing of it reaches an agent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from conversion.example import Example
from conversion.finetune.base_model import BaseModel
from conversion.finetune.candidate import TunedCandidate
from conversion.finetune.local import LocalAnswers
from conversion.finetune.served import ServedAnswers
from conversion.finetune.training import Schedule
from router.decision import Query
from serving.vllm.client import VllmClient
from simulator.app import create_app
from simulator.server import RunningServer
from simulator.support_desk import SupportDesk
from tests.conversion.finetune.conftest import data_of, extractions
from tests.proxy.running import RunningProxy, start
from tests.proxy.test_published import ALL, Publisher
from tests.serving.vllm.conftest import RANK, steady
from tests.serving.vllm.test_dialect import CALLS, asked_of
from tests.serving.vllm.test_through_the_proxy import FORMAT, MESSAGES, TOOL
from wire.accumulate import final_body
from wire.answer import Answer
from wire.certainty import certainty
from wire.logprobs_splice import inject, without_logprobs
from wire.shape import Endpoint

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]

_NAMES = re.compile(rb'"(?:id|created)":(?:"[^"]*"|\d+)')
"""What differs between two answers to the same request."""
_PATHS: dict[Endpoint, str] = {"chat.completions": "/chat/completions", "completions": "/completions"}
_FORCED = {"tools": [TOOL], "tool_choice": "required", "max_tokens": 80, "frequency_penalty": 2.0}
ASKED: dict[str, tuple[Endpoint, dict[str, Any]]] = {
    **{name: ("chat.completions", asked_of(body)) for name, body in CALLS.items() if "logprobs" not in body},
    "a required tool": ("chat.completions", asked_of(_FORCED)),
    "a streamed required tool": ("chat.completions", asked_of(_FORCED | {"stream": True})),
    "a completion": ("completions", {"prompt": "order 48213", "max_tokens": 6}),
    "a streamed completion": ("completions", {"prompt": "order 48213", "max_tokens": 6, "stream": True}),
}


def _post(server: VllmClient, endpoint: Endpoint, body: bytes) -> httpx2.Response:
    headers = {"content-type": "application/json"}
    response = httpx2.post(f"{server.url}/v1{_PATHS[endpoint]}", content=body, headers=headers, timeout=120)
    assert response.status_code == 200, response.text
    return response


@pytest.mark.parametrize("call", ASKED)
def test_what_was_not_asked_for_is_taken_out_to_the_byte(call: str, server: VllmClient) -> None:
    endpoint, body = ASKED[call]
    body = {"model": "base", "temperature": 0, **body}
    plain = orjson.dumps(body)
    asking = inject(endpoint, plain, body)
    assert asking is not None

    def both() -> tuple[bytes, httpx2.Response, bytes]:
        unasked, asked = _post(server, endpoint, plain), _post(server, endpoint, asking)
        return unasked.content, asked, without_logprobs(asked.content, streamed=body.get("stream", False))

    unasked, asked, stripped = steady(both, lambda told: told[0].count(b"\n\n") == told[2].count(b"\n\n"))
    assert _NAMES.sub(b"", stripped) == _NAMES.sub(b"", unasked)
    content_type = asked.headers["content-type"]
    told = final_body(endpoint, content_type, asked.content)
    assert told is not None
    sure = certainty(endpoint, told)
    assert sure is not None
    assert 0 < sure <= 1
    untold = final_body(endpoint, content_type, stripped)
    assert untold is not None
    assert certainty(endpoint, untold) is None
    tokens = told["choices"][0]["logprobs"]
    counted = len(tokens.get("content") or tokens.get("token_logprobs"))
    if "usage" in told:
        assert counted == told["usage"]["completion_tokens"]  # the one that ends the turn as well


def test_whole_and_streamed_it_is_as_sure(server: VllmClient) -> None:
    for name in ("a schema", "a tool", "text"):
        found = []
        for call in (name, f"streamed {name}" if name == "text" else name.replace("a ", "a streamed ")):
            body = {"model": "base", "temperature": 0, "logprobs": True} | ASKED[call][1]
            response = _post(server, "chat.completions", orjson.dumps(body))
            told = final_body("chat.completions", response.headers["content-type"], response.content)
            assert told is not None
            found.append(certainty("chat.completions", told))
        assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_a_token_that_a_grammar_forces_is_certain(server: VllmClient) -> None:
    """Its alternatives are gone before vLLM takes the probabilities, although they are called raw."""
    one = {"type": "object", "properties": {"box": {"const": "in"}}, "required": ["box"]}
    schema = {"name": "box", "strict": True, "schema": one | {"additionalProperties": False}}
    body = {"model": "base", "messages": MESSAGES, "temperature": 0, "max_tokens": 60, "logprobs": True}
    bound = {"response_format": {"type": "json_schema", "json_schema": schema}, "frequency_penalty": 2.0}
    tokens = server.complete("/chat/completions", body | bound)["choices"][0]["logprobs"]["content"]
    free = server.complete("/chat/completions", body | {"max_tokens": 4})["choices"][0]["logprobs"]["content"]
    assert tokens[-1]["logprob"] == 0.0  # nothing but the end of the turn was left
    assert max(each["logprob"] for each in free) < 0.0  # a model that was hardly trained is sure of nothing


@pytest.fixture
def change(base: Path, tmp_path: Path) -> Path:
    """What full tuning changed of the base, as an adapter."""
    schedule = Schedule(batch=8, fewest_steps=6, fewest_epochs=2, rank=RANK, rate=0.01)
    candidate = TunedCandidate(BaseModel("base", str(base), 1024), "full", schedule)
    return candidate.train(data_of(extractions(36)), tmp_path, lambda done, of: None).files


@pytest.mark.filterwarnings(
    "ignore::FutureWarning",  # peft and trl use what transformers gives up
    "ignore::DeprecationWarning",
    "ignore::UserWarning",
)
@pytest.mark.parametrize("tuned", ["adapter", "change"])
def test_transformers_says_the_same(
    server: VllmClient, base: Path, tuned: str, request: pytest.FixtureRequest
) -> None:
    adapter: Path = request.getfixturevalue(tuned)
    examples = [
        Example(str(limit), "", limit, "chat.completions", asked, Answer("x"))
        for limit in (1, 2, 3, 5, 8, 13)
        for asked in [{"messages": MESSAGES, "max_tokens": limit, "temperature": 0}]
    ]
    served = ServedAnswers(server, adapter).answer(examples)
    local = LocalAnswers(str(base), adapter, None).answer(examples)
    assert [each.tokens for each in served] == [each.tokens for each in local]
    assert [each.confidence for each in served] == pytest.approx(
        [each.confidence for each in local], rel=1e-3
    )
    assert 0 < min(each.confidence for each in served) < max(each.confidence for each in served) < 1


@pytest.fixture
def proxy(server: VllmClient, tmp_path: Path) -> Iterator[RunningProxy]:
    with RunningServer(create_app(SupportDesk(noise=0.0))) as llm:
        engines = {"gpu0": {"kind": "vllm", "base_url": f"{server.url}/v1"}}
        running = start(tmp_path, llm.url, engines=engines, **ALL)
        yield running
        running.stop()


@pytest.mark.parametrize("stream", [False, True])
def test_the_proxy_takes_it_above_the_threshold_and_declines_it_below(
    server: VllmClient, proxy: RunningProxy, stream: bool
) -> None:
    bound = {"response_format": FORMAT, "frequency_penalty": 2.0, "max_tokens": 80, "temperature": 0}
    body = {"model": "base", "messages": MESSAGES, "stream": stream} | bound
    alone = server.complete("/chat/completions", body | {"stream": False, "logprobs": True})
    sure = certainty("chat.completions", alone)
    assert sure is not None
    publisher = Publisher(proxy)
    publisher.learn(Query("chat.completions", body, 100))
    seen = []
    for version, threshold in (("below", sure * 0.98), ("above", sure * 1.02)):
        publisher.publish("live", version=version, threshold=threshold, engine_name="gpu0", model="base")
        publisher.await_version(version)
        answer = httpx2.post(f"{proxy.base_url}/chat/completions", json=body, timeout=60)
        seen.append((answer.headers["x-understudy-route"], answer.headers.get("x-understudy-fallback")))
        assert '"logprob"' not in answer.text
    assert seen == [("slm", None), ("upstream", "confidence")]
    assert [record.confidence for record in proxy.records(2)] == pytest.approx([sure, sure], rel=1e-3)
