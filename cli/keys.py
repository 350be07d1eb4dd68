"""`understudy keys`: make, list and revoke the keys that agents and people present to the proxy."""

from __future__ import annotations

import datetime
import time
from typing import Annotated

import msgspec
import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.context import MIRROR_FILE, ConfigOption, JsonOption, Store, fail, open_store, plain_errors
from store.database import upgrade
from store.proxy_keys import ProxyKeys, Role

app = typer.Typer(help="Make, list and revoke proxy keys (auth mode `keys`).", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="By which people know the key, such as the agent's name.")],
    config: ConfigOption = None,
    role: Annotated[
        Role,
        typer.Option(help="What it may do: an agent calls models, a viewer reads, a curator also reviews."),
    ] = "agent",
    as_json: JsonOption = False,
) -> None:
    """Make a key. Its secret is shown this once and stored nowhere."""
    with open_store(config) as store, plain_errors():
        upgrade(store.configuration.settings.store.url)
        keys = ProxyKeys(store.engine)
        made = keys.create(name, role, int(time.time()))
        _mirror(keys, store)
    if as_json:
        print(orjson.dumps({"id": made.id, "secret": made.secret}).decode())
    else:
        print(made.secret)
        print(f"key {made.id} ({role}, {name}): keep the secret, it is not shown again")


@app.command("list")
def list_keys(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the keys, revoked ones included, without their secrets."""
    with open_store(config) as store, plain_errors():
        keys = ProxyKeys(store.engine).list()
    if as_json:
        print(orjson.dumps(msgspec.to_builtins(keys), option=orjson.OPT_INDENT_2).decode())
        return
    table = Table("id", "name", "role", "created", "revoked", box=None, pad_edge=False)
    for key in keys:
        table.add_row(key.id, Text(key.name), key.role, _day(key.created), _day(key.revoked))
    Console().print(table)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as in the list.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a key back; running workers refuse it within seconds."""
    with open_store(config) as store, plain_errors():
        keys = ProxyKeys(store.engine)
        revoked = keys.revoke(key_id, int(time.time()))
        if revoked:
            _mirror(keys, store)
    if not revoked:
        fail(f"no active key {key_id!r}; `understudy keys list` shows those that are")
    print(orjson.dumps({"id": key_id, "revoked": True}).decode() if as_json else f"key {key_id} is revoked")


def _mirror(keys: ProxyKeys, store: Store) -> None:
    """Here at once; a shipper on another machine writes its own mirror within a second."""
    keys.mirror(store.configuration.settings.state_dir / MIRROR_FILE)


def _day(seconds: int | None) -> str:
    return "" if seconds is None else f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d}"
