"""`understudy engine`: starts vLLM servers, and shows how those of the configuration are."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console

from cli.context import ConfigOption, JsonOption, fail, load_configuration
from cli.tables import plain_table
from conversion.selection.catalogue import CatalogueError, catalogue
from serving.vllm.client import ServedModel, VllmClient
from serving.vllm.errors import EngineError
from serving.vllm.launch import Launch
from serving.vllm.load import engine_load
from serving.vllm.process import RunningEngine, running

app = typer.Typer(help="Start vLLM servers, and show how the configured ones are.", no_args_is_help=True)

_OWN_ENVIRONMENT: Final = Path(".venv-vllm/bin/python")
_LOOK_SECONDS: Final = 0.5


@app.command()
def start(
    name: Annotated[
        str, typer.Argument(help="A model of the catalogue, or what to call the one of --model.")
    ] = "",
    *,
    model: Annotated[str, typer.Option(help="Folder of a base model, or its id on the hub.")] = "",
    models: Annotated[
        Path | None, typer.Option(help="A catalogue of your own, beside the project's.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    context: Annotated[
        int | None, typer.Option(min=128, help="Tokens that a call reads and writes together.")
    ] = None,
    rank: Annotated[int, typer.Option(help="Highest rank of the adapters.")] = 16,
    adapters: Annotated[int, typer.Option(min=1, help="Adapters that one batch may mix.")] = 4,
    device: Annotated[str, typer.Option(help="auto, gpu or cpu.")] = "auto",
    python: Annotated[
        Path | None,
        typer.Option(
            help="Interpreter of the environment that has vLLM.", show_default=str(_OWN_ENVIRONMENT)
        ),
    ] = None,
    log: Annotated[Path, typer.Option(help="File for all that vLLM says.")] = Path("vllm.log"),
    flag: Annotated[list[str] | None, typer.Option(help="A further flag of vLLM; again for more.")] = None,
) -> None:
    """Start a vLLM server that takes adapters at run time, and stay until it is told to stop."""
    if device not in ("auto", "gpu", "cpu"):
        fail(f"--device cannot be {device!r}; choose from auto, gpu, cpu")
    served, flags = _model(name, model, models, context)
    launch = Launch(
        model=served,
        name=name or Path(served).name,
        host=host,
        port=port,
        context=context,
        rank=rank,
        adapters=adapters,
        on_cpu=device == "cpu" or (device == "auto" and shutil.which("nvidia-smi") is None),
        flags=(*flags, *(flag or ())),
    )
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _told(stopped))
    try:
        with running(launch, _interpreter(python), log, os.environ) as engine:
            print(f"vLLM serves {served!r} as {launch.name!r}; its log is {log}")
            print(f"listening on {engine.url}", flush=True)
            _stay(engine, stopped, log)
    except EngineError as error:
        fail(str(error))
    except _Told:
        return


class _Told(Exception):
    """Told to stop while the server was still starting."""


def _told(stopped: threading.Event, frame: FrameType | None = None) -> None:
    """Interrupts the start; once the server answers, `_stay` sees the event instead."""
    if not stopped.is_set():
        stopped.set()
        raise _Told


def _stay(engine: RunningEngine, stopped: threading.Event, log: Path) -> None:
    while not stopped.wait(_LOOK_SECONDS):
        if (code := engine.process.poll()) is not None:
            fail(f"vLLM ended with code {code}; see {log}")


def _model(name: str, model: str, models: Path | None, context: int | None) -> tuple[str, tuple[str, ...]]:
    """What vLLM loads, and the flags that go with it."""
    if not name and not model:
        fail("name a model of the catalogue, or a folder with --model")
    try:
        known = catalogue(models)
    except CatalogueError as error:
        fail(str(error))
    entry = known.get(name)
    if entry is None and not model:
        fail(f"{name!r} is not in the catalogue, which has {', '.join(known)}; give its folder with --model")
    if model and not Path(model).exists() and (model.startswith((".", "/", "~")) or model.count("/") != 1):
        fail(
            f"--model {model!r} is not there; name the folder of a base model, or an id of the hub such as Qwen/Qwen3-0.6B"
        )
    flags = () if entry is None else entry.serve_flags(context)
    if entry is None:
        flags = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")
    return model or (entry.hub if entry is not None else ""), flags


def _interpreter(given: Path | None) -> Path:
    """The one named, else that of `make .venv-vllm`, else ours."""
    if given is not None:
        return given
    return _OWN_ENVIRONMENT if _OWN_ENVIRONMENT.exists() else Path(sys.executable)


@app.command()
def status(*, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the configured vLLM servers: whether they answer, what they serve, and how busy they are."""
    rows = [_status(engine, server) for engine, server in _servers(config)]
    if as_json:
        print(orjson.dumps(rows).decode())
        return
    headings = ("engine", "url", "state", "version", "serves", "adapters", "running", "waiting", "cache")
    table = plain_table(*headings, folding=("url", "serves"))
    for row in rows:
        load = row["load"] or {}
        cache = f"{load['cache_use']:.0%}" if load else ""
        figures = (str(row["adapters"]), str(load.get("running", "")), str(load.get("waiting", "")), cache)
        table.add_row(row["engine"], row["url"], row["state"], row["version"], row["serves"], *figures)
    Console().print(table)


@app.command()
def adapters(*, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the adapters that the configured vLLM servers have loaded."""
    rows: list[dict[str, str]] = []
    for engine, server in _servers(config):
        try:
            found = [model for model in server.models().values() if model.adapter]
        except EngineError as error:
            print(f"understudy: {error}", file=sys.stderr)
            continue
        rows += [
            {"engine": engine, "url": server.url, "adapter": each.name, "folder": each.folder}
            for each in found
        ]
    if as_json:
        print(orjson.dumps(rows).decode())
        return
    headings = ("engine", "url", "adapter", "folder")
    table = plain_table(*headings, folding=headings)
    for row in rows:
        table.add_row(*row.values())
    Console().print(table)


def _servers(config: Path | None) -> Iterator[tuple[str, VllmClient]]:
    """Every server of every vLLM engine of the configuration, with the engine's name."""
    configuration = load_configuration(config)
    engines = {name: each for name, each in configuration.settings.engines.items() if each.kind == "vllm"}
    if not engines:
        fail("the configuration names no engine of kind vllm; add one under `engines`")
    for name, engine in engines.items():
        key = os.environ.get(engine.api_key_env or "", "")
        for url in engine.urls:
            with VllmClient(url, key) as server:
                yield name, server


def _status(engine: str, server: VllmClient) -> dict[str, Any]:
    row: dict[str, Any] = {
        "engine": engine,
        "url": server.url,
        "state": "answers",
        "version": "",
        "serves": "",
    }
    row |= {"adapters": 0, "load": None}
    try:
        served: list[ServedModel] = list(server.models().values())
        row["version"] = server.version()
        row["serves"] = ", ".join(each.name for each in served if not each.adapter)
        row["adapters"] = sum(each.adapter for each in served)
        row["load"] = asdict(engine_load(server.metrics()))
    except EngineError as error:
        row["state"] = "away" if not row["serves"] else "no metrics"
        row["reason"] = str(error)
    return row
