"""Asking a server: every way in which it may not answer has a name, and none raises."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from config.settings import Timeouts
from gatekeeper.asking import Asker, Reply
from gatekeeper.targets import Target
from serving.endpoints.answer import Answer
from serving.endpoints.prompt import Prompt
from simulator.app import create_app
from simulator.faults import FaultPlan, parse
from simulator.server import RunningServer
from simulator.settings import Settings

_BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}


class _Says:
    def answer(self, prompt: Prompt, index: int = 0) -> Answer:
        return Answer("hello")


@pytest.fixture
async def asker() -> AsyncIterator[Asker]:
    async with httpx2.AsyncClient(trust_env=False) as client:
        yield Asker(client)


async def _ask(asker: Asker, *urls: str, key: str = "", model: str = "gpt-4o") -> Reply:
    target = Target("llm", urls, Timeouts(connect=2.0, first_byte=0.5, idle=0.5), key)
    return await asker.ask(target, "chat.completions", "/v1/chat/completions", _BODY | {"model": model})


@pytest.mark.parametrize(
    ("fault", "expected", "status"),
    [
        ("", None, 200),
        ("status=500", "broken", 500),
        ("status=503", "busy", 503),
        ("status=429", "busy", 429),
        ("status=401", "refused", 401),
        ("status=400", "request", 400),
    ],
)
async def test_statuses_have_names(asker: Asker, fault: str, expected: str | None, status: int) -> None:
    plan = FaultPlan([parse(fault)] if fault else [])
    with RunningServer(create_app(_Says(), plan)) as server:
        reply = await _ask(asker, server.base_url)
    assert (reply.fault, reply.status) == (expected, status)


async def test_keys_models_and_absence(asker: Asker) -> None:
    with RunningServer(create_app(_Says(), settings=Settings(require_key="right"))) as server:
        assert (await _ask(asker, server.base_url, key="right")).fault is None
        assert (await _ask(asker, server.base_url, key="wrong")).fault == "refused"
        assert (await _ask(asker, server.base_url, key="right", model="unheard-of")).fault == "refused"
    assert (await _ask(asker, "http://127.0.0.1:9/v1")).fault == "unreachable"
    assert (await _ask(asker)).fault == "unreachable"


async def test_several_servers_take_turns(asker: Asker) -> None:
    one, other = create_app(_Says(), keep=9), create_app(_Says(), keep=9)
    with RunningServer(one) as first, RunningServer(other) as second:
        for _ in range(4):
            await _ask(asker, first.base_url, second.base_url)
    assert len(one.seen) == len(other.seen) == 2
