"""The `understudy` command: the composition root, one file per verb."""

from __future__ import annotations

import typer

from cli import config_command
from cli.demo import demo
from cli.rules import create_rules
from cli.serve import serve
from cli.simulate import simulate
from cli.stats import stats
from cli.stored_call import fetch_query

app = typer.Typer(
    name="understudy",
    help="A drop-in OpenAI-compatible proxy that learns which of an agent's calls small models can answer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(demo)
app.command()(stats)
app.add_typer(create_rules(fetch_query), name="rules")
app.add_typer(config_command.app, name="config")
app.command()(simulate)


def main() -> None:
    """Entry of the console script."""
    app()


if __name__ == "__main__":
    main()
