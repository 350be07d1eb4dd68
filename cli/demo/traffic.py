"""What passes through the proxy: an agent at work on tickets, or recorded requests once more."""

from __future__ import annotations

import itertools
import lzma
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx2
import orjson

from cli.context import fail

Progress = Callable[[], None]


class Traffic(Protocol):
    """A source of calls; each piece of work is one or more calls of one session."""

    def work(self) -> int:
        """Do the next piece of work, from any thread; returns how many calls it took."""
        ...


class Tickets:
    """An agent built on the official OpenAI SDK that works one made-up support ticket after the other."""

    def __init__(self, url: str, seed: int) -> None:
        from openai import OpenAI  # noqa: PLC0415  (an extra: only the demo needs the SDK)

        from simulator.agent import SupportDeskAgent  # noqa: PLC0415  (needs it too)
        from simulator.tickets import ticket  # noqa: PLC0415

        self._agent = SupportDeskAgent(OpenAI(base_url=f"{url}/v1", api_key="sk-simulated"))
        self._ticket = ticket
        self._seed = seed
        self._numbers = itertools.count()

    def work(self) -> int:
        """Work the next ticket."""
        return self._agent.work(self._ticket(next(self._numbers), seed=self._seed).text).calls


class Recording:
    """Recorded chat completions requests in their order, from the beginning again when they are through."""

    def __init__(self, url: str, file: Path) -> None:
        self._client = httpx2.Client(timeout=60)
        self._url = f"{url}/v1/chat/completions"
        self._requests = itertools.cycle(_requests(file))
        self._lock = threading.Lock()

    def work(self) -> int:
        """Send the next request."""
        with self._lock:
            request = next(self._requests)
        self._client.post(self._url, json=request, headers={"authorization": "Bearer sk-simulated"})
        return 1


class Workers:
    """Threads that take work from one traffic. Errors of the work end it, and are raised where it was started."""

    def __init__(self, traffic: Traffic, count: int) -> None:
        self._traffic = traffic
        self._count = count

    def work(self, pieces: int, progress: Progress) -> int:
        """Do so many pieces of work; returns how many calls that took."""

        def one(_: int) -> int:
            calls = self._traffic.work()
            progress()
            return calls

        with ThreadPoolExecutor(self._count) as pool:
            return sum(pool.map(one, range(pieces)))

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work goes on for as long as the block lasts."""
        ended = threading.Event()

        def go_on() -> None:
            while not ended.is_set():
                self._traffic.work()

        with ThreadPoolExecutor(self._count) as pool:
            running = [pool.submit(go_on) for _ in range(self._count)]
            try:
                yield
            finally:
                ended.set()
            for each in running:
                each.result()


def _requests(file: Path) -> list[Mapping[str, Any]]:
    try:
        with lzma.open(file) if file.suffix == ".xz" else file.open("rb") as lines:
            return [orjson.loads(line)["request"] for line in lines if line.strip()]
    except (OSError, lzma.LZMAError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        fail(
            f"{file}: is no file of recorded calls, one JSON object with request and response a line: {error}"
        )
