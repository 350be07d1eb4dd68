"""The `understudy` command: the composition root, one file per verb."""

from __future__ import annotations

import typer

from cli.serve import serve

app = typer.Typer(
    name="understudy",
    help="A drop-in OpenAI-compatible proxy that learns which of an agent's calls small models can answer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve)


def main() -> None:
    """Entry of the console script."""
    app()


if __name__ == "__main__":
    main()
