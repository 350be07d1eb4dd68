"""`understudy stats`: the figures of `/stats`, from the store or from a running server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import httpx2
import orjson
import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.context import ConfigOption, JsonOption, fail, key_file, load_configuration, plain_errors
from config.load import Configuration
from proxy.control.readings import Readings
from proxy.control.table import render
from proxy.workers import WorkerBoard
from store.keyring import KeyRing
from store.stats import GROUPS, GroupBy
from store.window import Window

Read = Callable[[], dict[str, Any]]

_REFRESH_SECONDS = 2.0


def stats(
    config: ConfigOption = None,
    window: Annotated[Window, typer.Option(help="How far back to look.")] = "24h",
    by: Annotated[str | None, typer.Option(help=f"Break down by one of: {', '.join(GROUPS)}.")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh every two seconds.")] = False,
    url: Annotated[
        str | None, typer.Option(help="Ask this server, such as http://127.0.0.1:8400, instead of the store.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the replacement rate and everything around it."""
    if by is not None and by not in GROUPS:
        fail(f"--by {by!r} is not one of {', '.join(GROUPS)}")
    read = _over_http(url, window, by) if url else _from_store(load_configuration(config), window, by)
    if as_json:
        print(orjson.dumps(read(), option=orjson.OPT_INDENT_2).decode())
    elif watch:
        _watch(read)
    else:
        print(render(read()), end="")


def _watch(read: Read) -> None:
    console = Console()
    with suppress(KeyboardInterrupt):
        if not console.is_terminal:  # a file or a pipe has no screen to write over: one table after the other
            while True:
                print(render(read()), flush=True)
                time.sleep(_REFRESH_SECONDS)
        with Live(console=console, auto_refresh=False, screen=False) as live:
            while True:
                live.update(Text(render(read())), refresh=True)
                time.sleep(_REFRESH_SECONDS)


def _from_store(configuration: Configuration, window: Window, by: str | None) -> Read:
    settings = configuration.settings
    with plain_errors():
        ring = KeyRing.load(key_file(configuration), os.environ)
        board = WorkerBoard(settings.state_dir / "workers")
        readings = Readings(settings.store.url, ring, configuration.journal, board)
    group: Any = by
    return lambda: readings.report(window, group)


def _over_http(url: str, window: Window, by: GroupBy | str | None) -> Read:
    key = os.environ.get("UNDERSTUDY_API_KEY", "")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    parameters = {"window": window} | ({"by": by} if by else {})

    def read() -> dict[str, Any]:
        try:
            answer = httpx2.get(url.rstrip("/") + "/stats", params=parameters, headers=headers, timeout=30)
        except httpx2.HTTPError as error:
            fail(f"{url!r} does not answer ({type(error).__name__}); is `understudy serve` running there?")
        if answer.status_code != 200:
            fail(f"{url!r} answered {answer.status_code}: {answer.text[:200]}")
        report: dict[str, Any] = answer.json()
        return report

    return read
