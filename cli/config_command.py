"""`understudy config`: the schema of the file for editors, and the same check as `understudy rules check`."""

from __future__ import annotations

import orjson
import typer

from cli.rules import check
from config.schema import json_schema

app = typer.Typer(help="The configuration file.", no_args_is_help=True)
app.command("check")(check)


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    print(orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2).decode())
