"""The verbs of a command, each imported when it is called for.

`understudy serve` stays in memory as the parent of the workers: it does without what the other verbs import.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import typer
import typer.core
import typer.main

from cli.examples import with_examples


class Verbs(typer.core.TyperGroup):
    """A command group that knows its verbs by where they stand: `module:name` of a function or a typer application."""

    places: Mapping[str, str] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the table."""
        return list(self.places)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb of this name; None when there is none."""
        place = self.places.get(cmd_name)
        return None if place is None else _command(cmd_name, place)


def verbs(places: Mapping[str, str]) -> type[Verbs]:
    """The group of these verbs."""
    return type("TheseVerbs", (Verbs,), {"places": dict(places)})


def _command(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        found.info.name = name
        return with_examples(typer.main.get_group(found), name)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return with_examples(typer.main.get_command(alone), name)
