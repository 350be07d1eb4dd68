"""The documentation pages, and the command as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cli.main import app

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def page() -> Any:
    """Reads a page of docs/ by name."""
    return lambda name: (DOCS / name).read_text()


def leaves(command: Any = None, path: tuple[str, ...] = ("understudy",)) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its full name."""
    command = typer.main.get_command(app) if command is None else command
    if not hasattr(command, "list_commands"):
        yield " ".join(path), command
        return
    if command.invoke_without_command:
        yield " ".join(path), command
    context = command.make_context(path[-1], [], resilient_parsing=True)
    for name in command.list_commands(context):
        yield from leaves(command.get_command(context, name), (*path, name))


def options(command: Any) -> list[tuple[str, str]]:
    """Long names of a command's options with their help."""
    return [
        (max(parameter.opts, key=len), parameter.help or "")
        for parameter in command.params
        if parameter.param_type_name == "option" and parameter.name != "help"
    ]
