"""Running proxies, the simulator behind them, and clients in front."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from simulator.activity import Recorder
from simulator.app import create_app
from simulator.server import RunningServer
from simulator.settings import Settings
from simulator.support_desk import SupportDesk
from tests.proxy.running import RunningProxy, start

StartProxy = Callable[..., RunningProxy]


@pytest.fixture(scope="session")
def ending() -> Iterator[list[RunningProxy]]:
    """Proxies that shut down while the next tests run already."""
    proxies: list[RunningProxy] = []
    yield proxies
    for proxy in proxies:
        proxy.stop()


@pytest.fixture
def start_proxy(tmp_path: Path, ending: list[RunningProxy]) -> Iterator[StartProxy]:
    """Starts the proxy in front of an upstream, stopped after the test; see `running.start`."""
    started: list[RunningProxy] = []

    def begin(*arguments: object, **sections: object) -> RunningProxy:
        started.append(partial(start, tmp_path)(*arguments, **sections))  # type: ignore[arg-type]
        return started[-1]

    yield begin
    for proxy in started:
        proxy.begin_shutdown()
    ending += started


@pytest.fixture(scope="session")
def llm_app() -> Recorder:
    """What the simulated LLM saw."""
    return create_app(SupportDesk(noise=0.0), settings=Settings(clock="fixed", models=("*",)), keep=100)


@pytest.fixture(scope="session")
def llm(llm_app: Recorder) -> Iterator[RunningServer]:
    """The simulated LLM, in a thread of its own."""
    with RunningServer(llm_app) as running:
        yield running


@pytest.fixture
def proxy(start_proxy: StartProxy, llm: RunningServer) -> RunningProxy:
    """A proxy in front of the simulated LLM, with the defaults."""
    return start_proxy(llm.url)


@pytest.fixture
async def sdk(proxy: RunningProxy) -> AsyncIterator[AsyncOpenAI]:
    """The official SDK, pointed at the proxy."""
    async with AsyncOpenAI(base_url=proxy.base_url, api_key="sk-agent", max_retries=0, timeout=20) as client:
        yield client
