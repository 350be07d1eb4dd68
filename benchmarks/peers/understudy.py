"""Ours: routing and logging on, the shipper running, one SQLite database per run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.peers.peer import Served
from benchmarks.process import free_port, listening, running, tree

# The benchmark's request falls through the first four rules, each for another reason, and matches the last.
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
  - {{name: support desk, when: {{system: "You are the support desk*", tools: lookup_order}}, route: upstream}}
"""


@dataclass(frozen=True, slots=True)
class Understudy:
    """`understudy serve` with that many workers."""

    workers: int = 1

    @property
    def name(self) -> str:
        return "understudy" if self.workers == 1 else f"understudy, {self.workers} workers"

    def install(self) -> None:
        """It is what this project installs."""

    @contextmanager
    def serve(self, upstream: str, folder: Path) -> Iterator[Served]:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        config = folder / "understudy.yaml"
        config.write_text(_CONFIG.format(port=port, workers=self.workers, upstream=upstream, folder=folder))
        command: list[str | Path] = [
            Path(sys.executable).with_name("understudy"),
            "serve",
            "--config",
            config,
        ]
        with running(command, log=folder / "output.log", ready=lambda: listening(port)) as process:
            yield Served(f"http://127.0.0.1:{port}/v1/chat/completions", process)


def workers(server: psutil.Process) -> list[psutil.Process]:
    """The worker processes below a running `understudy serve`."""
    return [child for child in tree(server) if "cli.worker" in child.cmdline()]


def shippers(server: psutil.Process) -> list[psutil.Process]:
    """The shipper below a running `understudy serve`."""
    return [child for child in tree(server) if "cli.shipping" in child.cmdline()]
