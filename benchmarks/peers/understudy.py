"""Ours: routing and logging on, the shipper running, one SQLite database per run; with a learned router, too."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import psutil

from benchmarks.logged import logged_calls
from benchmarks.peers.peer import Served
from benchmarks.process import DidNotStart, free_port, listening, running, tree
from benchmarks.request import AUTHORIZATION, ORDER, chat_body

_PROGRAM: Final = Path(sys.executable).with_name("understudy")
# The benchmark's request falls through the first four rules, each for another reason, and matches the last where that stands.
_CONFIG: Final = """\
version: 1
server: {{host: 127.0.0.1, port: {port}, workers: {workers}}}
upstreams:
  openai: {{base_url: "{upstream}/v1", models: ["*"]}}
engines:
  gpu0: {{kind: vllm, base_url: "http://127.0.0.1:9/v1"}}
slms:
  extract-0.6b: {{engine: gpu0, model: extract-0.6b}}
store: {{url: "sqlite:///{folder}/understudy.db"}}
state_dir: {folder}/state
prices: {{gpt-4o-mini: {{input: 0.15, cached_input: 0.075, output: 0.60}}}}
rules:
  - {{name: planner stays, when: {{system: "You are the planner*"}}, route: upstream}}
  - {{name: classify, when: {{system: "/^You are the (triage|intake) desk/", stream: false}}, route: extract-0.6b}}
  - {{name: calendar, when: {{tools: "calendar_*"}}, route: extract-0.6b}}
  - {{name: extract, when: {{model: "gpt-4o*", response_format: json_schema}}, route: extract-0.6b, share: 25%}}
"""
_LAST_RULE: Final = """\
  - {name: support desk, when: {system: "You are the support desk*", tools: lookup_order}, route: upstream}
"""
_TAUGHT_CALLS: Final = 200
_TASK: Final = "x-understudy-task"
_PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Understudy:
    """`understudy serve` with that many workers."""

    workers: int = 1
    learned: bool = False
    """Whether no rule takes the request, and a router that `understudy convert` has learned recognises it."""

    @property
    def name(self) -> str:
        if self.learned:
            return "understudy, learned router"
        return "understudy" if self.workers == 1 else f"understudy, {self.workers} workers"

    def install(self) -> None:
        """It is what this project installs."""

    @contextmanager
    def serve(self, upstream: str, folder: Path) -> Iterator[Served]:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        config = folder / "understudy.yaml"
        text = _CONFIG.format(port=port, workers=self.workers, upstream=upstream, folder=folder)
        config.write_text(text if self.learned else text + _LAST_RULE)
        command: list[str | Path] = [_PROGRAM, "serve", "--config", config]
        with running(command, log=folder / "output.log", ready=lambda: listening(port)) as process:
            served = Served(f"http://127.0.0.1:{port}/v1/chat/completions", process)
            if self.learned:
                _teach(served, config)
            yield served


def _teach(served: Served, config: Path) -> None:
    """Make calls, convert the log, and wait until the router that was learned recognises a call; raises DidNotStart."""
    with httpx2.Client(headers={"authorization": AUTHORIZATION}, timeout=20) as client:

        def task(number: int) -> str:
            body = chat_body().replace(ORDER.encode(), b"%08d" % number)
            return client.post(served.url, content=body).raise_for_status().headers.get(_TASK, "")

        for number in range(_TAUGHT_CALLS):
            task(number)
        logged_calls(served, _TAUGHT_CALLS)
        done = subprocess.run([_PROGRAM, "convert", "--config", config], capture_output=True, check=False)
        deadline = time.monotonic() + _PATIENCE
        while not task(_TAUGHT_CALLS):
            if done.returncode or time.monotonic() > deadline:
                raise DidNotStart(f"no router was learned: {done.stderr.decode()[-400:]}")
            time.sleep(0.2)


def workers(server: psutil.Process) -> list[psutil.Process]:
    """The worker processes below a running `understudy serve`."""
    return [child for child in tree(server) if "cli.worker" in child.cmdline()]


def shippers(server: psutil.Process) -> list[psutil.Process]:
    """The shipper below a running `understudy serve`."""
    return [child for child in tree(server) if "cli.shipping" in child.cmdline()]
