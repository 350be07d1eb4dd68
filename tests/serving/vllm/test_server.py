"""A real vLLM server: what our client asks of it, and what placement does with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serving.vllm.client import ServedModel, VllmClient
from serving.vllm.errors import EngineRefused
from serving.vllm.load import engine_load
from serving.vllm.placement import Placement
from simulator.desk.prompts import ORDER_SCHEMA, SYSTEM

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]


def _asked(model: str, **options: Any) -> dict[str, Any]:
    messages = [
        {"role": "system", "content": SYSTEM["extract"]},
        {"role": "user", "content": "Where is ORD-12345?"},
    ]
    return {
        "model": model,
        "messages": messages,
        "max_tokens": 16,
        "temperature": 0,
        "ignore_eos": True,
        "skip_special_tokens": False,  # a model that was hardly trained says little else
    } | options


def _said(server: VllmClient, model: str, **options: Any) -> str:
    answer = server.complete("/chat/completions", _asked(model, **options))
    return str(answer["choices"][0]["message"]["content"])


def test_it_says_what_it_serves(server: VllmClient, base: Path) -> None:
    assert server.healthy()
    assert server.version().startswith("0.")
    assert server.models()["base"] == ServedModel("base", adapter=False, folder=str(base), context=1024)


def test_an_adapter_comes_and_goes(server: VllmClient, adapter: Path) -> None:
    placement = Placement([server], adapter.parent)
    assert placement.keep({"extract@1": adapter}).loaded == ((server.url, "extract@1"),)
    assert server.models()["extract@1"] == ServedModel("extract@1", adapter=True, folder=str(adapter))
    assert _said(server, "extract@1") != _said(server, "base")

    server.unload_adapter("extract@1")  # as a restart would
    assert placement.keep({"extract@1": adapter}).loaded == ((server.url, "extract@1"),)

    assert placement.keep({}).unloaded == ((server.url, "extract@1"),)
    with pytest.raises(EngineRefused) as refused:
        _said(server, "extract@1")
    assert refused.value.status == 404


def test_an_adapter_that_is_not_there_is_refused_and_the_server_lives_on(
    server: VllmClient, tmp_path: Path
) -> None:
    placed = Placement([server], tmp_path).keep({"gone@1": tmp_path / "gone"})
    assert "gone@1" in placed.failed[server.url, "gone@1"]
    assert _said(server, "base")


def test_answers_keep_to_a_schema(server: VllmClient) -> None:
    schema = {"name": "order", "strict": True, "schema": ORDER_SCHEMA}
    said = _said(server, "base", response_format={"type": "json_schema", "json_schema": schema})
    assert said.startswith("{")


def test_its_load_is_read(server: VllmClient) -> None:
    _said(server, "base")
    load = engine_load(server.metrics())
    assert load.generation_tokens > 0
    assert load.prompt_tokens > 0
    assert 0 <= load.cache_use <= 1
