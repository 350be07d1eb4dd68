"""The simulator's small-model mode answers in the shapes of a real vLLM: the same fields, of the same types, in the same order.

What differs by nature is left out: how many chunks a stream has, and how its text is cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import orjson
import pytest

from serving.endpoints.dialect import VllmDialect
from serving.vllm.client import VllmClient
from simulator.app import create_app
from simulator.desk.prompts import ORDER_SCHEMA, SYSTEM
from simulator.server import RunningServer
from simulator.settings import Settings
from simulator.support_desk import SupportDesk
from tests.serving.vllm.conftest import steady
from tests.serving.vllm.test_through_the_proxy import FORMAT, TOOL

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]

_LETTER = "Please cancel my purchase of two blue ceramic mugs, order #48213.\nThanks,\nMaria Lopez"
_SHOWN = {"ignore_eos": True, "skip_special_tokens": False, "max_tokens": 6}
_NAMED = {"type": "function", "function": {"name": "sort_letter"}}
_CALLED = {"tools": [TOOL], "tool_choice": _NAMED, "max_tokens": 80, "frequency_penalty": 2.0}
_BOUND = {"response_format": FORMAT, "max_tokens": 80, "frequency_penalty": 2.0}
"""A model that was hardly trained fills JSON with spaces unless these are made dear."""
_TOLD = {"logprobs": True}
_USAGE = {"stream": True, "stream_options": {"include_usage": True}}
CALLS: dict[str, dict[str, Any]] = {
    "text": _SHOWN,
    "streamed text": _SHOWN | {"stream": True},
    "streamed text with usage": _SHOWN | _USAGE,
    "a schema": _BOUND,
    "a streamed schema": _BOUND | _USAGE,
    "a tool": _CALLED,
    "a streamed tool": _CALLED | _USAGE,
    "text and logprobs": _SHOWN | _TOLD,
    "streamed text and logprobs": _SHOWN | _TOLD | {"stream": True},
    "a schema and logprobs": _BOUND | _TOLD,
    "a streamed schema and logprobs": _BOUND | _TOLD | _USAGE,
    "a tool and logprobs": _CALLED | _TOLD,
    "a streamed tool and logprobs": _CALLED | _TOLD | _USAGE,
}  # fmt: skip
REFUSED: dict[str, bytes] = {
    "an unknown model": b'{"model":"nobody","messages":[{"role":"user","content":"hi"}]}',
    "no messages": b'{"model":"base"}',
    "messages of the wrong type": b'{"model":"base","messages":"hi"}',
    "broken JSON": b'{"model":',
}


@pytest.fixture(scope="module")
def played() -> Iterator[str]:
    """The URL of the simulator in its small-model mode."""
    settings = Settings(models=("base",), dialect=VllmDialect())
    with RunningServer(create_app(SupportDesk(noise=0.0), settings=settings)) as running:
        yield running.base_url


def _post(url: str, body: dict[str, Any] | bytes) -> httpx2.Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = {"content-type": "application/json"}
    return httpx2.post(f"{url}/chat/completions", content=content, headers=headers, timeout=120)


def asked_of(options: dict[str, Any]) -> dict[str, Any]:
    system = SYSTEM["extract"] if "response_format" in options else SYSTEM["act"]
    messages = [{"role": "system", "content": system}, {"role": "user", "content": _LETTER}]
    return {"model": "base", "messages": messages, "temperature": 0} | options


def shape(value: Any) -> Any:
    """A value's fields in their order, with the types that they hold."""
    if isinstance(value, dict):
        return [(name, shape(held)) for name, held in value.items()]
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def events(body: bytes) -> list[dict[str, Any]]:
    lines = body.split(b"\n\n")
    assert lines[-2:] == [b"data: [DONE]", b""]
    return [orjson.loads(line.removeprefix(b"data: ")) for line in lines[:-2]]


def kinds(body: bytes) -> list[Any]:
    """The shapes of a stream's chunks, each once, in the order in which they come first."""
    found: list[Any] = []
    for chunk in events(body):
        if (seen := shape(chunk)) not in found:
            found.append(seen)
    return found


@pytest.mark.parametrize("call", CALLS)
def test_an_answer(call: str, server: VllmClient, played: str) -> None:
    body = asked_of(CALLS[call])
    ours = _post(played, body)

    def whole(real: httpx2.Response) -> bool:
        return not body.get("stream") or kinds(ours.content) == kinds(real.content)

    real = steady(lambda: _post(f"{server.url}/v1", body), whole)
    assert (real.status_code, ours.status_code) == (200, 200)
    assert ours.headers["content-type"].partition(";")[0] == real.headers["content-type"].partition(";")[0]
    if body.get("stream"):
        assert kinds(ours.content) == kinds(real.content)
    else:
        assert shape(ours.json()) == shape(real.json())


@pytest.mark.parametrize("call", REFUSED)
def test_a_refusal(call: str, server: VllmClient, played: str) -> None:
    real, ours = _post(f"{server.url}/v1", REFUSED[call]), _post(played, REFUSED[call])
    assert ours.status_code == real.status_code
    theirs = real.json()["error"]
    assert shape(ours.json()["error"]) == shape(theirs)
    assert ours.json()["error"]["type"] == theirs["type"]
    assert ours.json()["error"]["code"] == theirs["code"] == real.status_code


def test_what_it_serves(server: VllmClient, played: str) -> None:
    real, ours = httpx2.get(f"{server.url}/v1/models").json(), httpx2.get(f"{played}/models").json()
    assert shape(ours) == shape(real)
    assert ours["data"][0]["owned_by"] == real["data"][0]["owned_by"]


def test_an_unknown_path(server: VllmClient, played: str) -> None:
    real, ours = httpx2.get(f"{server.url}/v1/nowhere"), httpx2.get(f"{played}/nowhere")
    assert (ours.status_code, ours.json()) == (real.status_code, real.json())


def test_the_schema_of_the_desk_is_the_schema_of_both(server: VllmClient, played: str) -> None:
    """The demo's own schema is one that vLLM can bind an answer to."""
    format_ = {
        "type": "json_schema",
        "json_schema": {"name": "order", "strict": True, "schema": ORDER_SCHEMA},
    }
    body = asked_of({"response_format": format_, "max_tokens": 30})
    assert _post(f"{server.url}/v1", body).status_code == _post(played, body).status_code == 200
