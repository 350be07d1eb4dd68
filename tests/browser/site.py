"""The product that the browser looks at: simulated models, the proxy's processes, and an agent with the OpenAI SDK."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from openai import OpenAI

from cli.context import open_store
from cli.processes import started
from simulator.agent import SupportDeskAgent
from simulator.tickets import tickets
from store.database import upgrade
from store.proxy_keys import ProxyKeys, Role
from tests.browser.history import write
from tests.proxy.stored_tasks import LABEL, fill

SMALL_MODEL = "classify-0.6b"
DEADLINE = 30.0

_CONFIGURATION = """\
version: 1
server: {{port: 0}}
upstreams:
  simulated-llm: {{base_url: "{llm}/v1"}}
engines:
  local: {{kind: vllm, base_url: "{slm}/v1"}}
slms:
  {small_model}: {{engine: local, model: {small_model}}}
prices:
  gpt-4o-mini: {{input: 0.15, cached_input: 0.075, output: 0.60}}
rules:
  - name: labels
    when: {{system: "You classify support tickets*"}}
    route: {small_model}
  - name: urgency
    when: {{system: "*yes or no*"}}
    route: upstream
"""


@dataclass(frozen=True)
class Site:
    """A running product and its address."""

    url: str
    configuration: Path

    def work(self, count: int, seed: int) -> int:
        """Have an agent work tickets; returns how many calls that took."""
        agent = SupportDeskAgent(
            OpenAI(base_url=f"{self.url}/v1", api_key="sk-browser", max_retries=0), planning=False
        )
        return sum(agent.work(ticket.text).calls for ticket in tickets(count, seed=seed))

    def stats(self, by: str = "rule", window: str = "1h") -> dict[str, object]:
        """The statistics of a window."""
        answer: dict[str, object] = httpx2.get(
            f"{self.url}/stats", params={"window": window, "by": by}, timeout=10
        ).json()
        return answer

    def learn(self) -> None:
        """Have an agent label four calls, and the store know what was learned of them: tasks, understudies, pairs."""
        before = self.stats()["calls"]
        assert isinstance(before, int)
        for number in range(4):
            body = {
                "model": "gpt-4o-mini",
                "messages": [{"role": "user", "content": f"Ticket {number} is late"}],
            }
            headers = {"x-understudy-task": LABEL}
            httpx2.post(f"{self.url}/v1/chat/completions", json=body, headers=headers, timeout=30)
        self.settled(before + 4)
        calls = httpx2.get(f"{self.url}/calls", params={"task": LABEL}, timeout=10).json()["calls"]
        with open_store(self.configuration) as store:
            fill(store.engine, store.ring, time.time_ns() // 1000, [call["id"] for call in calls])

    def remember(self) -> str:
        """Have the store know of a week of calls; returns the id of one that an understudy answered."""
        with open_store(self.configuration) as store:
            upgrade(store.configuration.settings.store.url)
            count = write(store.engine, store.ring, time.time_ns() // 1000)
        self.settled(count, "7d")
        calls = httpx2.get(f"{self.url}/calls", params={"route": "slm", "limit": 1}, timeout=10).json()[
            "calls"
        ]
        return str(calls[0]["id"])

    def key(self, role: Role) -> str:
        """A new proxy key, once the proxy knows it."""
        with open_store(self.configuration) as store:
            upgrade(store.configuration.settings.store.url)
            secret = ProxyKeys(store.engine).create(role, role, int(time.time())).secret
        headers = {"authorization": f"Bearer {secret}"}
        eventually(lambda: httpx2.get(f"{self.url}/stats", headers=headers).status_code != 401, "the key")
        return secret

    def settled(self, calls: int, window: str = "1h") -> None:
        """Wait until so many calls are in the database."""
        eventually(lambda: self.stats(window=window)["calls"] == calls, f"{calls} calls in the database")


def eventually(condition: Callable[[], object], what: str, patience: float = DEADLINE) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience:g} s for {what}"
        time.sleep(0.05)


@contextmanager
def running_site(folder: Path, more: str = "") -> Iterator[Site]:
    """Start everything in a folder, and stop it in the end; `more` is added to the configuration file."""
    with ExitStack() as stack:
        common = ["--port", "0", "--speed", "0"]
        llm = stack.enter_context(started(["simulate", *common], folder / "llm.log"))
        slm = stack.enter_context(
            started(["simulate", *common, "--as", "slm", "--model", SMALL_MODEL], folder / "slm.log")
        )
        file = folder / "understudy.yaml"
        file.write_text(_CONFIGURATION.format(llm=llm.url, slm=slm.url, small_model=SMALL_MODEL) + more)
        proxy = stack.enter_context(started(["serve", "--config", str(file)], folder / "proxy.log"))
        yield Site(proxy.url, file)
