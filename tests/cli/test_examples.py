"""Help that teaches: every verb has examples, and the command's own parser takes each of them."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import typer.main

from cli.examples import EXAMPLES
from cli.main import app
from tests.docs.conftest import leaves

LEAVES = {name.removeprefix("understudy "): command for name, command in leaves()}
JSON_HAS_NO_USE = {
    "serve",  # runs until it is stopped
    "simulate",
    "demo",
    "engine start",
    "config schema",  # prints JSON in any case
}


@pytest.mark.parametrize("name", list(LEAVES))
def test_every_verb_has_an_example_in_its_help(name: str) -> None:
    assert EXAMPLES.get(name)
    assert LEAVES[name].epilog.startswith("Examples:")


@pytest.mark.parametrize("line", [line for name in LEAVES for line in EXAMPLES.get(name, ())])
def test_every_example_is_taken_by_the_parser(line: str) -> None:
    arguments = shlex.split(line.partition(" > ")[0])[1:]
    command: Any = typer.main.get_command(app)
    while arguments and (below := _below(command, arguments[0])) is not None:
        command = below
        del arguments[0]
    command.make_context("example", arguments)


def _below(command: Any, name: str) -> Any:
    """The command of this name below a group; None where there is none."""
    if not hasattr(command, "list_commands"):
        return None
    return command.get_command(command.make_context(name, [], resilient_parsing=True), name)


@pytest.mark.parametrize("name", [name for name in LEAVES if name not in JSON_HAS_NO_USE])
def test_every_verb_prints_json_for_programs(name: str) -> None:
    assert any("--json" in parameter.opts for parameter in LEAVES[name].params)
