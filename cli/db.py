"""`understudy db`: the schema of the database, and the records that it would not take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from cli.context import ConfigOption, JsonOption, load_configuration, open_store, plain_errors
from cli.shipping import sink_of
from store.database import current as current_revision
from store.database import pending, upgrade
from store.quarantine import Quarantine, SecondTry

app = typer.Typer(help="Look after the database's schema, and what it refused.", no_args_is_help=True)


@app.command("upgrade")
def upgrade_schema(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Bring the schema up to date; the shipper does so by itself when it starts."""
    configuration = load_configuration(config)
    with plain_errors():
        upgrade(configuration.settings.store.url)
    print(orjson.dumps({"upgraded": True}).decode() if as_json else "the schema is up to date")


@app.command()
def current(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the schema's revision, and whether an upgrade is pending."""
    with open_store(config) as store, plain_errors():
        revision, behind = current_revision(store.engine), pending(store.engine)
    if as_json:
        print(orjson.dumps({"revision": revision, "pending": behind}).decode())
        return
    print(f"{revision or 'no schema yet'}{' (upgrade pending: understudy db upgrade)' if behind else ''}")


@app.command()
def quarantine(
    config: ConfigOption = None,
    ship_again: Annotated[
        bool, typer.Option("--ship-again", help="Offer everything to the database once more.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the records that the database refused and the segments that were damaged, or ship them again.

    What the database takes is deleted from quarantine. What it does not stays there, encrypted, until it is as old as
    the calls that `store.retain` deletes.
    """
    with open_store(config) as store, plain_errors():
        kept = Quarantine(store.configuration.journal)
        if ship_again:
            sink = sink_of(store.configuration, store.engine, store.ring)
            tries = kept.ship_again(store.ring, sink)
            print(orjson.dumps(_told(tries)).decode() if as_json else _summary(tries))
        elif as_json:
            print(orjson.dumps([_listed(path) for path in kept.files()]).decode())
        else:
            _show(kept.files())


def _listed(path: Path) -> dict[str, Any]:
    stat = path.stat()
    kind = "record" if "@" in path.name else "segment"
    return {"file": str(path), "kind": kind, "bytes": stat.st_size, "written": stat.st_mtime}


def _show(files: Sequence[Path]) -> None:
    if not files:
        print("nothing is in quarantine")
        return
    table = Table("kept since", "kind", "bytes", "file", box=None, header_style="bold")
    for listed in map(_listed, files):
        since = time.strftime("%m-%d %H:%M:%S", time.localtime(listed["written"]))
        table.add_row(since, listed["kind"], f"{listed['bytes']:,}", Path(listed["file"]).name)
    Console().print(table)
    print("understudy db quarantine --ship-again offers them to the database once more")


def _told(tries: Sequence[SecondTry]) -> list[dict[str, Any]]:
    return [
        {
            "file": str(tried.path),
            "done": tried.done,
            "stored": tried.stored,
            "refused": tried.refused,
            "damaged": tried.damaged,
            "trouble": tried.trouble,
        }
        for tried in tries
    ]


def _summary(tries: Sequence[SecondTry]) -> str:
    lines = [
        f"{tried.path.name} stays: {tried.refused} refused, {tried.damaged} damaged ({tried.trouble})"
        for tried in tries
        if not tried.done
    ]
    stored, done = sum(tried.stored for tried in tries), sum(tried.done for tried in tries)
    return "\n".join(
        [*lines, f"{stored} records were new to the database; {done} of {len(tries)} files are done"]
    )
