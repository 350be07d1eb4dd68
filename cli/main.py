"""The `understudy` command: the composition root, one file per verb."""

from __future__ import annotations

from typing import Final

import typer

from cli.verbs import verbs

VERBS: Final = {
    "init": "cli.init:init",
    "doctor": "cli.doctor:doctor",
    "serve": "cli.serve:serve",
    "demo": "cli.demo.command:demo",
    "stats": "cli.stats:stats",
    "calls": "cli.calls:app",
    "convert": "cli.convert:app",
    "tasks": "cli.tasks:app",
    "rules": "cli.rules_command:app",
    "keys": "cli.keys:app",
    "config": "cli.config_command:app",
    "db": "cli.db:app",
    "engine": "cli.engine:app",
    "simulate": "cli.simulate:simulate",
}

app = typer.Typer(
    name="understudy",
    cls=verbs(VERBS),
    help="A drop-in OpenAI-compatible proxy that learns which of an agent's calls small models can answer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _every_verb() -> None:
    """Nothing is common to all verbs; typer asks for a function."""


def main() -> None:
    """Entry of the console script."""
    app()


if __name__ == "__main__":
    main()
