"""`understudy db`: the schema of the database."""

from __future__ import annotations

import orjson
import typer

from cli.context import ConfigOption, JsonOption, load_configuration, open_store, plain_errors
from store.database import current as current_revision
from store.database import pending, upgrade

app = typer.Typer(help="Look after the database's schema.", no_args_is_help=True)


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
