"""`understudy calls`: list recorded calls, show one with its content, and erase."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from cli.context import ConfigOption, JsonOption, Store, fail, open_store, plain_errors
from cli.tables import plain_table
from conversion.dataset import KIND as DATASET
from proxy.control.call_page import call_page, explanation, summary_page
from store.artifacts import ArtifactStore
from store.calls import Calls, CallSummary, Filters
from store.keyring import DIGEST, Sealer
from store.record import Route
from store.retention import Forgotten, purge

app = typer.Typer(help="List, show and erase recorded calls.", no_args_is_help=True)

SinceOption = Annotated[datetime.datetime | None, typer.Option(help="Only calls from this moment on (UTC).")]
UntilOption = Annotated[datetime.datetime | None, typer.Option(help="Only calls before this moment (UTC).")]


_ROOMY: Final = 110
"""Columns of a terminal from which on names are shown too; `calls show` and --json have them always."""
_ID_WHOLE: Final = 75
"""Columns of a terminal from which on an id takes one line."""


@app.command("list")
def list_calls(
    *,
    config: ConfigOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    route: Annotated[Route | None, typer.Option(help="Only calls that took this route.")] = None,
    task: Annotated[str | None, typer.Option(help="Only calls of this task.")] = None,
    model: Annotated[str | None, typer.Option(help="Only calls that asked for this model.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only calls that this rule took.")] = None,
    status: Annotated[int | None, typer.Option(help="Only calls that ended with this status.")] = None,
    session: Annotated[str | None, typer.Option(help="Only calls of this session.")] = None,
    before: Annotated[
        str | None, typer.Option(help="Id of the last call of the page before; shows the next page.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many calls to show.", min=1, max=10_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List calls, newest first."""
    filters = Filters(
        since=None if since is None else _microseconds(since),
        until=None if until is None else _microseconds(until),
        route=route,
        task=task,
        model=model,
        rule=rule,
        status=status,
        session=session,
        before=before,
        limit=limit,
    )
    with _opened(config) as (_, calls):
        found = calls.list(filters)
    if as_json:
        print(orjson.dumps([summary_page(call) for call in found], option=orjson.OPT_INDENT_2).decode())
    else:
        console = Console()
        console.print(_table(found, console.width))


@app.command()
def show(
    call_id: Annotated[str, typer.Argument(help="Id of the call, as in x-understudy-call-id.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show why a call went where it did, and everything else that is known of it, request and response included."""
    with _opened(config) as (_, calls):
        call = calls.get(call_id)
    if call is None:
        fail(f"no call {call_id!r} is stored; `understudy calls list` shows those that are")
    page = call_page(call)
    if as_json:
        print(page.decode())
    else:
        console = Console()
        console.print(Text(explanation(call)), "")
        console.print(JSON(page.decode()))


@app.command("purge")
def purge_calls(
    config: ConfigOption = None,
    session: Annotated[str | None, typer.Option(help="Erase the calls of this session.")] = None,
    call: Annotated[str | None, typer.Option(help="Erase this call.")] = None,
    before: Annotated[
        datetime.datetime | None, typer.Option(help="Erase all calls before this moment (UTC).")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase calls, what is kept about them, the content that no other call uses, and training sets, which are made anew
    from what is left. What was counted in the statistics stays."""
    if sum(option is not None for option in (session, call, before)) != 1:
        fail("say what to erase by one of --session, --call and --before")
    if not yes:
        typer.confirm("Erased calls cannot be brought back. Go on?", abort=True)
    moment = None if before is None else _microseconds(before) // 1_000_000
    with _opened(config) as (store, calls):
        gone = purge(store.engine, calls, session=session, call=call, before=moment)
        sets = (
            ArtifactStore(store.configuration.artifacts, store.ring).remove_all(DATASET) if gone.calls else 0
        )
    told = asdict(gone) | {"training_sets": sets}
    print(orjson.dumps(told).decode() if as_json else _said(gone, sets))


@contextmanager
def _opened(config: Path | None) -> Iterator[tuple[Store, Calls]]:
    with open_store(config) as store, plain_errors():
        yield store, Calls(store.engine, Sealer(store.ring), store.ring.active.derive(DIGEST))


def _said(gone: Forgotten, sets: int) -> str:
    said = f"erased {gone.calls} calls and {gone.contents} contents that nothing else used"
    return f"{said}, and {sets} training sets, which are made anew from what is left" if sets else said


def _table(calls: Sequence[CallSummary], width: int) -> Table:
    """A row for each call; ids and names may take several lines, and a narrow terminal shows no names."""
    labels = [name for name in ("model", "task", "rule") if _any(calls, name)] if width >= _ROOMY else []
    figures = ("ms", "tokens") if width >= _ROOMY else ("ms",)
    folding = labels if width >= _ID_WHOLE else ("id",)
    headings = ("id", "started UTC", "", "route", *labels, *figures)
    table = plain_table(*headings, folding=folding, figures=figures)
    for call in calls:
        table.add_row(
            call.id,
            f"{datetime.datetime.fromtimestamp(call.started / 1e6, datetime.UTC):%m-%d %H:%M}",
            str(call.status),
            call.route,
            *(Text(_label(call, heading)) for heading in labels),
            f"{call.duration / 1000:,.0f}",
            *((f"{call.usage.total:,}",) if width >= _ROOMY else ()),
        )
    return table


def _any(calls: Sequence[CallSummary], heading: str) -> bool:
    return any(_label(call, heading) for call in calls)


def _label(call: CallSummary, heading: str) -> str:
    return {"model": call.served_model or call.model, "task": call.task, "rule": call.rule}[heading]


def _microseconds(moment: datetime.datetime) -> int:
    return int(moment.replace(tzinfo=datetime.UTC).timestamp()) * 1_000_000
