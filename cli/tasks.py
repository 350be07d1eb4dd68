"""`understudy tasks`: what the agents' calls are, and how far small models have come with them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.context import ConfigOption, JsonOption, fail, open_store, plain_errors
from cli.tables import plain_table
from proxy.control.task_readings import TaskReadings
from store.calls import Calls
from store.keyring import DIGEST, Sealer
from store.window import Window

app = typer.Typer(help="List the tasks that were found, and show how far their understudies are.")

WindowOption = Annotated[Window, typer.Option(help="How far back calls are counted.")]

_ROOMY: Final = 140
"""Columns of a terminal from which on titles are shown too."""
_NARROW: Final = 80
"""Columns of a terminal below which only how far a task has come is shown."""


@app.callback(invoke_without_command=True)
def tasks(
    context: typer.Context,
    config: ConfigOption = None,
    window: WindowOption = "24h",
    as_json: JsonOption = False,
) -> None:
    """List the tasks that were found, and show how far their understudies are."""
    if context.invoked_subcommand is None:
        list_tasks(config, window, as_json)


@app.command("list")
def list_tasks(
    config: ConfigOption = None, window: WindowOption = "24h", as_json: JsonOption = False
) -> None:
    """List tasks with their share of calls, state, agreement with the LLM, and what is and would be saved."""
    with _opened(config) as readings:
        page = readings.page(window)
    if as_json:
        _print_json(page)
    elif not page["tasks"]:
        print("no task was found yet; `understudy convert` looks for them in the log")
    else:
        console = Console()
        console.print(_table(page["tasks"], console.width))


@app.command()
def show(
    task_id: Annotated[str, typer.Argument(metavar="TASK", help="Id of the task, as the list has it.")],
    config: ConfigOption = None,
    window: WindowOption = "24h",
    as_json: JsonOption = False,
) -> None:
    """Show a task and the whole evidence on each of its understudies."""
    with _opened(config) as readings:
        page = readings.task(task_id, window)
    if page is None:
        fail(f"there is no task {task_id!r}; `understudy tasks list` shows those that are")
    if as_json:
        _print_json(page)
    else:
        Console().print(Group(*_shown(page)))


@contextmanager
def _opened(config: Path | None) -> Iterator[TaskReadings]:
    with open_store(config) as store, plain_errors():
        sealer = Sealer(store.ring)
        calls = Calls(store.engine, sealer, store.ring.active.derive(DIGEST))
        yield TaskReadings(store.engine, sealer, calls)


def _print_json(page: Mapping[str, Any]) -> None:
    print(orjson.dumps(page, option=orjson.OPT_INDENT_2).decode())


def _table(tasks: Sequence[Mapping[str, Any]], width: int) -> Table:
    """A row for each task; on a narrow terminal ids and titles take several lines, so that an id can be copied whole."""
    roomy = width >= _ROOMY
    figures = ("agreement", "replaced", "share", "saved", "would")[: 2 if width < _NARROW else None]
    titles = ("title", "answers") if roomy else ()
    table = plain_table("task", *titles, "state", *figures, folding=("task", "title"), figures=figures)
    for task in tasks:
        titled = (Text(task["title"]), _kind(task)) if roomy else ()
        told = (
            _agreement(task["agreement"]),
            _percent(task["replacement_rate"]),
            _percent(task["share"]),
            _dollars(task["cost_avoided"]),
            _dollars(task["would_avoid"]),
        )
        table.add_row(Text(task["id"]), *titled, task["state"], *told[: len(figures)])
    return table


def _shown(task: Mapping[str, Any]) -> Iterator[Any]:
    yield Text(task["id"], style="bold")
    yield Text(task["title"])
    yield Text(
        f"{_kind(task)}; {task['calls']:,} calls in the window ({_percent(task['share'])} of all),"
        f" {_percent(task['replacement_rate'])} replaced"
    )
    would = task["would_avoid"]
    yield Text(
        f"cost {_dollars(task['cost'])}, saved {_dollars(task['cost_avoided'])}"
        + ("" if would is None else f", {_dollars(would)} had its understudy answered all of them")
    )
    if not task["deployments"]:
        yield Text("no understudy was trained for it yet")
    for deployment in task["deployments"]:
        yield Text("")
        yield from _understudy(deployment)


def _understudy(deployment: Mapping[str, Any]) -> Iterator[Any]:
    yield Text(f"{deployment['understudy']}   {deployment['state']}", style="bold")
    pairs, offline = deployment["pairs"], deployment["offline"]
    lines = [
        f"engine {deployment['engine']}, trained {_moment(deployment['created'])}",
        (
            f"agrees in at least {_percent(deployment['agreement'])} of answers"
            f" (confidence {_percent(deployment['confidence'])}), answers from {deployment['threshold']:.3g} up"
        ),
        (
            f"{pairs['shadow']:,} shadow and {pairs['audit']:,} audit pairs: {pairs['agreed']:,} agreed,"
            f" {pairs['disagreed']:,} did not, in {pairs['abstained']:,} it was not sure enough to answer"
        ),
    ]
    if offline and "trials" in offline:
        lines.insert(1, f"held-out calls: {offline['successes']} of {offline['trials']} agreed")
    if deployment["report"]:
        lines.append(f"report {deployment['report']}")
    for line in lines:
        yield Padding(Text(line), (0, 0, 0, 2))
    moves = Table(box=None, pad_edge=False, show_header=False)
    moves.add_column(no_wrap=True)
    moves.add_column(no_wrap=True)
    moves.add_column(ratio=1)
    for move in deployment["moves"]:
        moves.add_row(_moment(move["at"]), f"{move['before']} → {move['after']}", Text(move["sentence"]))
    yield Padding(moves, (0, 0, 0, 2))


def _kind(task: Mapping[str, Any]) -> str:
    return f"{task['kind']}, {task['answers']} answers" if task["answers"] else str(task["kind"])


def _agreement(agreement: Mapping[str, Any] | None) -> str:
    """The certified bound, and in brackets what the pairs so far came to."""
    if agreement is None:
        return "-"
    return f"≥{_percent(agreement['lower'])} ({_percent(agreement['estimate'])})"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"


def _dollars(amount: float | None) -> str:
    return "-" if amount is None else f"${amount:,.2f}"


def _moment(seconds: float) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%m-%d %H:%M:%S}"
