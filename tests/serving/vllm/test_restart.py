"""A vLLM server that is killed and started again: agents notice nothing, and the gatekeeper gives it its adapters back."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from serving.vllm.client import VllmClient
from serving.vllm.errors import EngineError
from serving.vllm.launch import Launch
from serving.vllm.process import RunningEngine, running
from simulator.app import create_app
from simulator.server import RunningServer
from simulator.support_desk import SupportDesk
from store.deployments import MoveRow
from tests.gatekeeper.stage import NAME, Stage, gatekeeper, staged
from tests.proxy.running import start
from tests.serving.vllm.conftest import COMPACT, PYTHON, RANK, free_port
from tests.serving.vllm.test_through_the_proxy import FORMAT, MESSAGES

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not PYTHON.exists(), reason="VLLM IS NOT INSTALLED (make .venv-vllm/.installed)"),
]


def test_adapters_come_back_and_no_agent_sees_an_error(base: Path, adapter: Path, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def vllm() -> AbstractContextManager[RunningEngine]:
        launch = Launch(
            str(base), "base", port, context=1024, rank=RANK, sequences=4, on_cpu=True, flags=COMPACT
        )
        return running(launch, PYTHON, tmp_path / "vllm.log", os.environ)

    engine = {"gpu": {"kind": "vllm", "base_url": f"{url}/v1"}}
    (tmp_path / "gate").mkdir()
    (tmp_path / "proxy").mkdir()
    database = f"sqlite:///{tmp_path}/gate/understudy.db"
    artifacts = {"artifacts": str(adapter.parent)}
    with (
        RunningServer(create_app(SupportDesk(noise=0.0))) as llm,
        VllmClient(url) as server,
        staged(tmp_path / "gate", database, engines=engine, learning=artifacts) as stage,
    ):
        proxy = start(
            tmp_path / "proxy",
            llm.url,
            engines=engine,
            slms={"desk": {"engine": "gpu", "model": NAME}},
            rules=[{"name": "all of it", "route": "desk"}],
        )
        with OpenAI(base_url=proxy.base_url, api_key="sk-agent", max_retries=0, timeout=60) as sdk:
            stage.deploy(state="shadow", engine="gpu", files=str(adapter))
            with gatekeeper(stage):
                with vllm() as first:
                    stage.eventually(lambda: _has(server), "the adapter is loaded")
                    assert _asked(sdk) == ("slm", "")
                    first.process.kill()
                    first.process.wait()
                    route, fallback = _asked(sdk)
                    assert route == "upstream"
                    assert fallback in ("connect", "broken", "closed", "breaker_open")
                with vllm():
                    stage.eventually(lambda: _has(server), "the adapter is loaded again")
                    stage.eventually(lambda: _asked(sdk) == ("slm", ""), "it answers again")
                    _retire(stage)
                    stage.eventually(lambda: not _has(server), "what is demoted is unloaded")
                    assert _asked(sdk) == ("upstream", "model_missing")
        proxy.stop()


def _has(server: VllmClient) -> bool:
    try:
        return NAME in server.models()
    except EngineError:
        return False


def _asked(sdk: OpenAI) -> tuple[str, str]:
    """The route that an agent's call took, and why there was a fallback."""
    asked: dict[str, Any] = {"model": "gpt-4o-mini", "messages": MESSAGES, "temperature": 0, "max_tokens": 40}
    raw: Any = sdk.chat.completions.with_raw_response.create(**asked | {"response_format": FORMAT})
    assert raw.parse().choices[0].message.content
    return raw.headers["x-understudy-route"], raw.headers.get("x-understudy-fallback", "")


def _retire(stage: Stage) -> None:
    stage.deployments.record(NAME, (), b"", MoveRow("shadow", "demoted", "by hand", "retired"), 1)
