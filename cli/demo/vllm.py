"""What `understudy demo --vllm` adds: a base model made on the spot, a real vLLM server, and an adapter that goes bad."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.context import fail
from cli.demo.stage import FOLDER, Stage
from cli.demo.story import tasks_of
from cli.demo.traffic import Workers
from serving.vllm.client import VllmClient
from serving.vllm.errors import EngineError
from serving.vllm.launch import Launch
from serving.vllm.process import running
from simulator.base.recipe import Recipe
from simulator.base.training import base_model

PYTHON: Final = Path(".venv-vllm/bin/python")
_CACHE: Final = Path(".cache")
_RANK: Final = 64
"""A third of the width of the base: 95% of what changes in its layers, at a quarter of what answers with all of it take."""
_TUNING: Final = f"{{method: full, rank: {_RANK}, steps: 500}}"
"""A base of this size is tuned whole, and over more steps than a large one."""
_SLOW: Final = "10s"
"""The simulated LLM answers a hundred times as quickly as a real one, beside which two busy cores would not look slow."""
_CONTEXT: Final = 1024
_PATIENCE: Final = 300.0
"""Seconds that the bad adapter is given to be noticed."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A vLLM server of the demonstration."""

    server: VllmClient

    @property
    def section(self) -> str:
        """The configuration's section `engines`."""
        return f'engines:\n  local-vllm: {{kind: vllm, base_url: "{self.server.url}/v1"}}'

    @property
    def learning(self) -> str:
        """What is tried of it, and how: a model of this size can do nothing untrained, and that costs minutes to show."""
        return f", slow_after: {_SLOW}, selection: {{trials: [fine-tuned]}}, finetune: {_TUNING}"


@contextmanager
def engine(console: Console) -> Iterator[Engine]:
    """Start vLLM on the base model, which is trained first where the cache does not have it."""
    if not PYTHON.exists():
        fail(f"{PYTHON} is not there; `make demo-vllm` installs vLLM into an environment of its own")
    base = _base(console)
    launch = Launch(
        model=str(base.resolve()),
        name="desk-base",
        port=_free_port(),
        context=_CONTEXT,
        rank=_RANK,
        adapters=8,
        on_cpu=shutil.which("nvidia-smi") is None,
        flags=("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
    )
    FOLDER.mkdir(exist_ok=True)
    began = time.monotonic()
    try:
        with (
            console.status("starting vLLM"),
            running(launch, PYTHON, FOLDER / "vllm.log", os.environ) as started,
            VllmClient(started.url) as server,
        ):
            told = (
                f"vLLM {server.version()} serves it at {server.url}, after {time.monotonic() - began:.0f} s."
            )
            console.print(told, highlight=False)
            yield Engine(server)
    except EngineError as error:
        fail(str(error))


def go_bad(stage: Stage, workers: Workers, server: VllmClient, console: Console) -> None:
    """Put the adapter that replaces most calls in the place of the one that replaces fewest, as a mistaken copy would, and
    wait until the gate has noticed while the agent goes on."""
    loaded = {name: model for name, model in server.models().items() if model.adapter}
    live = [task for task in tasks_of(stage) if task["state"] == "live" and task["understudy"] in loaded]
    live.sort(key=lambda task: task["share"] * (task["replacement_rate"] or 0.0))
    if len(live) < 2:
        fail(
            f"{len(live)} adapters are live, and two are needed to swap one; see {stage.folder / 'convert.log'}"
        )
    good, bad = live[0], live[-1]
    console.print(
        f"[bold]Go wrong: the adapter of {good['id']} is overwritten with that of {bad['id']}.[/]",
        highlight=False,
    )
    folder = Path(loaded[good["understudy"]].folder)
    _overwrite(folder, Path(loaded[bad["understudy"]].folder))
    server.load_adapter(good["understudy"], folder)
    began = time.monotonic()
    with workers.working():
        while (task := _task(stage, good["id"]))["state"] != "demoted":
            if time.monotonic() - began > _PATIENCE:
                fail(f"the bad adapter of {good['id']} was not noticed within {_PATIENCE:.0f} s")
            time.sleep(0.5)
    told = f"  demoted by itself after {time.monotonic() - began:.0f} s; its calls go to the LLM again."
    console.print(told, highlight=False)
    moves: Sequence[Mapping[str, Any]] = stage.ask(f"/tasks/{task['id']}").get("moves") or ()
    if moves:
        console.print(f"  the gate says: {moves[-1]['sentence']}", highlight=False)


def _base(console: Console) -> Path:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        bar = shown.add_task("training a small base model on made-up letters", total=None)
        folder = base_model(_CACHE, lambda done, of: shown.update(bar, completed=done, total=of), Recipe())
    console.print(f"The base model, made on the spot, is in {folder}.", highlight=False)
    return folder


def _overwrite(folder: Path, other: Path) -> None:
    """Put the weights of another adapter in the place of those in a folder. The file is another one then: vLLM maps the
    former into its memory, and dies when that becomes shorter under it."""
    for weights in other.glob("*.safetensors"):
        new = folder / f".{weights.name}"
        shutil.copyfile(weights, new)
        new.replace(folder / weights.name)


def _task(stage: Stage, task: str) -> Mapping[str, Any]:
    return next(each for each in tasks_of(stage) if each["id"] == task)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
