"""The product that the browser looks at: simulated models, the proxy's processes, and an agent with the OpenAI SDK."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from openai import OpenAI

from cli.processes import started
from simulator.agent import SupportDeskAgent
from simulator.tickets import tickets

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

    def stats(self, by: str = "rule") -> dict[str, object]:
        """The statistics of the last hour."""
        answer: dict[str, object] = httpx2.get(
            f"{self.url}/stats", params={"window": "1h", "by": by}, timeout=10
        ).json()
        return answer

    def settled(self, calls: int) -> None:
        """Wait until so many calls are in the database."""
        eventually(lambda: self.stats()["calls"] == calls, f"{calls} calls in the database")


def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE:g} s for {what}"
        time.sleep(0.05)


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """Start everything in a folder, and stop it in the end."""
    with ExitStack() as stack:
        common = ["--port", "0", "--speed", "0"]
        llm = stack.enter_context(started(["simulate", *common], folder / "llm.log"))
        slm = stack.enter_context(
            started(["simulate", *common, "--as", "slm", "--model", SMALL_MODEL], folder / "slm.log")
        )
        file = folder / "understudy.yaml"
        file.write_text(_CONFIGURATION.format(llm=llm.url, slm=slm.url, small_model=SMALL_MODEL))
        proxy = stack.enter_context(started(["serve", "--config", str(file)], folder / "proxy.log"))
        yield Site(proxy.url, file)
