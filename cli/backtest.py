"""`understudy rules backtest`: what other rules would have done to the calls in the log."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from pydantic_core import PydanticCustomError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from backtest.comparison import Comparison
from backtest.replay import Moved
from backtest.report import Figures, Group, Report
from cli.context import ConfigOption, JsonOption, fail, open_store, plain_errors
from cli.published import published
from cli.tables import plain_table
from config.load import load
from config.units import seconds
from store.keyring import Sealer

_PROCESSES: Final = 4
"""At most: each holds what it read last."""
_MANY: Final = 50_000
_ROWS: Final = 15
"""Tasks and rules that are shown to people; --json has all."""

RulesOption = Annotated[
    Path,
    typer.Option(
        "--rules", "-r", help="Configuration file with the rules to try, whole like the one in force."
    ),
]


def backtest(
    rules: RulesOption,
    config: ConfigOption = None,
    window: Annotated[str, typer.Option(help="How far back to look, such as 24h, 7d or all.")] = "7d",
    moved: Annotated[int, typer.Option(min=0, help="How many of the calls that would move to name.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show what other rules would have done to the calls in the log; no model is called."""
    since = _since(window)
    with open_store(config) as store, plain_errors():
        other = load(rules, os.environ)
        learned = published(store.configuration)
        comparison = Comparison(store.configuration, other, learned, moved)
        sealer = Sealer(store.ring)
        whole = comparison.count(store.engine, sealer, since, None)
        gc.disable()  # millions of small objects that no cycle holds; collecting them took a sixth of the time
        with _progress(whole, shown=not as_json) as progress:
            processes = _processes(whole)
            report = comparison.run(store.engine, sealer, since, None, progress, processes)
    if as_json:
        print(orjson.dumps(page(report), option=orjson.OPT_INDENT_2).decode())
    else:
        _print(report, rules)


def page(report: Report) -> dict[str, Any]:
    """The report as JSON, with its rates."""
    told = asdict(report)
    sides = [(told, report)] + [
        (group, told_of)
        for name in ("tasks", "rules")
        for group, told_of in zip(told[name], getattr(report, name), strict=True)
    ]
    for place, source in sides:
        for side in ("today", "other"):
            figures: Figures = getattr(source, side)
            place[side] |= {"replacement_rate": figures.replacement_rate, "token_rate": figures.token_rate}
    return told


def _since(window: str) -> int | None:
    if window == "all":
        return None
    try:
        return int((time.time() - seconds(window)) * 1e6)
    except PydanticCustomError:
        fail(f"--window {window!r} is not a duration; write it like 24h, 7d or all")


def _processes(calls: int) -> int:
    """One a core; a short log is read before others have begun."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _PROCESSES) if calls >= _MANY else 1


@contextmanager
def _progress(whole: int, *, shown: bool) -> Iterator[Any]:
    columns = (TextColumn("reading calls"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Drawn when something was read: a thread that draws would be in the way of the processes that are made meanwhile.
    with Progress(*columns, console=Console(stderr=True), disable=not shown, auto_refresh=False) as progress:
        bar = progress.add_task("", total=whole)
        yield lambda done: progress.update(bar, completed=done, refresh=True)
        progress.update(bar, completed=whole, refresh=True)


def _print(report: Report, rules: Path) -> None:
    console = Console()
    table = Table("", "today", str(rules), box=None, pad_edge=False)
    for name, *cells in _rows(report.today, report.other):
        table.add_row(name, *cells)
    console.print(table)
    for heading, groups in (("task", report.tasks), ("rule", report.rules)):
        console.print()
        console.print(_groups(heading, groups))
    if report.examples:
        console.print()
        console.print(Text(f"{report.moved:,} calls move; the latest:"))
        console.print(_moved(report.examples))
    else:
        console.print(f"\n{report.moved:,} calls move")
    for note in report.notes:
        console.print(Text(f"Note: {note}."))


def _rows(today: Figures, other: Figures) -> Iterator[tuple[str, ...]]:
    both = (today, other)
    yield "calls", *(f"{side.calls:,}" for side in both)
    yield "replacement rate", *(f"{side.replacement_rate:.1%}" for side in both)
    yield "  of tokens", *(f"{side.token_rate:.1%}" for side in both)
    yield "agreement", *map(_agreement, both)
    yield "cost", *(f"${side.dollars:,.2f}" for side in both)
    yield "latency p50", *(_ms(side, "p50") for side in both)
    yield "latency p95", *(_ms(side, "p95") for side in both)


def _agreement(figures: Figures) -> str:
    known = figures.agreement
    return "-" if known is None else f"{known.estimate:.1%} ({known.lower:.1%} to {known.upper:.1%})"


def _ms(figures: Figures, name: str) -> str:
    value = figures.latency_ms.get(name)
    return "-" if value is None else f"{value:,.0f} ms"


def _groups(heading: str, groups: Sequence[Group]) -> Table:
    figures = ("calls", "then", "replaced", "then", "agreement", "cost", "then")
    table = plain_table(heading, *figures, folding=(heading,), figures=figures)
    for group in groups[:_ROWS]:
        both = (group.today, group.other)
        agreement = group.other.agreement
        table.add_row(
            Text(group.name or "-"),
            *(f"{side.calls:,}" for side in both),
            *(f"{side.replacement_rate:.1%}" if side.calls else "-" for side in both),
            "-" if agreement is None else f"{agreement.estimate:.1%}",
            *(f"${side.dollars:,.2f}" for side in both),
        )
    if len(groups) > _ROWS:
        table.add_row(f"and {len(groups) - _ROWS} more: --json", *[""] * 7)
    return table


def _moved(examples: Sequence[Moved]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for column in (36, 10):
        table.add_column(no_wrap=True, min_width=column)
    table.add_column(overflow="fold")
    for call in examples:
        table.add_row(call.call_id, f"→ {call.after}", Text(f"{call.rule}: {call.reason}"))
    return table
