"""A running simulator of the support desk, and clients for it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from openai import OpenAI

from simulator.activity import Recorder
from simulator.app import create_app
from simulator.server import RunningServer
from simulator.settings import Settings
from simulator.support_desk import SupportDesk


@pytest.fixture(scope="session")
def desk_app() -> Recorder:
    return create_app(SupportDesk(noise=0.0), settings=Settings(clock="fixed"), keep=4)


@pytest.fixture(scope="session")
def server(desk_app: Recorder) -> Iterator[RunningServer]:
    with RunningServer(desk_app) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: RunningServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.base_url, api_key="sk-test", max_retries=0, timeout=20) as sdk:
        yield sdk


@pytest.fixture(scope="session")
def http(server: RunningServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=20) as plain:
        yield plain
