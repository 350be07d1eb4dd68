"""`understudy doctor`: what is wrong with the surroundings, and how to mend it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.checks.finding import Finding, Level, ok, problem
from cli.context import ConfigOption, JsonOption, find_config
from config.load import Configuration, load
from config.problem import ConfigError
from store.errors import KeyringError

EXIT_PROBLEM: Final = 1
"""Exit code where there is a problem; warnings alone end with 0."""

_STYLES: Final[dict[Level, str]] = {"ok": "green", "warning": "yellow", "problem": "red"}


def doctor(
    config: ConfigOption = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no upstream and no engine.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check configuration, keys, database, upstreams, engines, disk, clock and port; exit code 1 for a problem."""
    findings = list(_examine(config, offline=offline))
    healthy = all(finding.level != "problem" for finding in findings)
    if as_json:
        report = {"healthy": healthy, "findings": [asdict(finding) for finding in findings]}
        print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    else:
        _print(findings)
    raise typer.Exit(0 if healthy else EXIT_PROBLEM)


def _examine(path: ConfigOption, *, offline: bool) -> Iterator[Finding]:
    file = find_config(path)
    try:
        configuration = load(file, os.environ)
    except ConfigError as error:
        for each in error.problems:
            place = f"{each.file}:{each.line}:{each.column}" if each.line else each.file
            told = f"{each.value} {each.message}".strip()
            yield problem("configuration", f"{place}: {each.path}: {told}", each.remedy or "mend the file")
        return
    where = str(file) if file else "no understudy.yaml here, so the defaults hold"
    yield ok("configuration", f"{where}: valid, version {configuration.version}")
    yield from _surroundings(configuration, offline=offline)


def _surroundings(configuration: Configuration, *, offline: bool) -> Iterator[Finding]:
    from cli.checks import database, keys, learning, machine, network  # noqa: PLC0415  only once there is something to check

    yield from keys.check_keys(configuration, os.environ)
    try:
        ring = keys.load_ring(configuration, os.environ)
    except KeyringError:
        ring = None  # told already
    settings = configuration.settings
    yield from database.check_database(settings.store.url, ring)
    yield from learning.check_learning(configuration, ring)
    yield from machine.check_disk(configuration)
    yield from machine.check_journal(configuration)
    yield from machine.check_files()
    yield from machine.check_port(settings.server.host, settings.server.port)
    if not offline:
        yield from network.check_network(configuration)


def _print(findings: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        told = Text(finding.text)
        if finding.remedy:
            told.append(f"\n→ {finding.remedy}", style="bold")
        table.add_row(Text(finding.level, style=_STYLES[finding.level]), finding.check, told)
    console = Console()
    console.print(table)
    counts = {level: sum(finding.level == level for finding in findings) for level in _STYLES}
    console.print(f"{counts['problem']} problems, {counts['warning']} warnings")
