"""Agents that keep calling, and remember what they received whole."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from simulator.desk.prompts import SYSTEM

DEADLINE: Final = 180.0
AGENT_KEY: Final = "sk-agent-secret"
PHRASE: Final = "the velvet kangaroo"
"""Stands in every request, so that a log that quotes content is found out."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A response that an agent received to its last byte."""

    call_id: str
    headers: Mapping[str, str]
    began: float
    """When its request was sent, on the event loop's clock."""


@dataclass(slots=True)
class Load:
    """What a group of agents has seen so far."""

    url: str
    seed: int
    whole: list[Whole] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    """Calls that were not answered, or not to their end, by what happened."""
    _stopping: bool = False

    async def agent(self, number: int, *, patient: bool) -> None:
        """Call until told to stop; a patient agent pauses after a failure."""
        rng = random.Random(self.seed * 1000 + number)
        timeout = aiohttp.ClientTimeout(total=DEADLINE)
        async with aiohttp.ClientSession(
            timeout=timeout, headers={"authorization": f"Bearer {AGENT_KEY}"}
        ) as session:
            while not self._stopping:
                try:
                    await self._call(session, rng)
                except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
                    self.failed[type(error).__name__] += 1
                    await asyncio.sleep(0.05 if patient else 0)

    async def _call(self, session: aiohttp.ClientSession, rng: random.Random) -> None:
        body = request(rng)
        began = asyncio.get_running_loop().time()
        async with session.post(f"{self.url}/v1/chat/completions", json=body) as answer:
            received = await answer.read()
            if answer.status != 200:
                self.failed[f"status {answer.status}"] += 1
            elif body["stream"] and not received.endswith(b"data: [DONE]\n\n"):
                self.failed["unfinished stream"] += 1
            else:
                self.whole.append(Whole(answer.headers["x-understudy-call-id"], dict(answer.headers), began))

    async def more(self, count: int) -> None:
        """Until so many more calls were answered whole."""
        until = len(self.whole) + count
        async with asyncio.timeout(DEADLINE):
            while len(self.whole) < until:
                await asyncio.sleep(0.002)

    def stop(self) -> None:
        """Let every agent end after its present call."""
        self._stopping = True

    @property
    def ids(self) -> set[str]:
        return {whole.call_id for whole in self.whole}


def request(rng: random.Random) -> dict[str, Any]:
    """A chat request of the support desk, streamed or not."""
    kind = rng.choice(list(SYSTEM))
    text = (
        f"Order {rng.randrange(10**6)} with {PHRASE} has not arrived; I have waited {rng.randrange(30)} days."
    )
    return {
        "model": "gpt-4o-mini",
        "stream": rng.random() < 0.5,
        "messages": [{"role": "system", "content": SYSTEM[kind]}, {"role": "user", "content": text}],
        "max_tokens": 60,
    }


@asynccontextmanager
async def agents(url: str, *, count: int = 8, seed: int, patient: bool = True) -> AsyncIterator[Load]:
    """So many agents at work until the block ends; then their last calls are waited for."""
    load = Load(url, seed)
    tasks = [asyncio.create_task(load.agent(number, patient=patient)) for number in range(count)]
    try:
        yield load
    finally:
        load.stop()
        await asyncio.gather(*tasks)
