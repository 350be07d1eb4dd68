"""The catalogue: the project's models and the owner's own, read from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import yaml

from conversion.selection.model import SmallModel


class CatalogueError(Exception):
    """A catalogue file that cannot be used; the message names file, model and field, and what would be right."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    models: list[dict[str, Any]]


def catalogue(own: Path | None = None) -> Mapping[str, SmallModel]:
    """The models by name; those of the file `own` are added, and replace ours of the same name. Raises CatalogueError."""
    ours = resources.files("conversion.selection").joinpath("catalogue.yaml")
    models = _read(ours.read_text("utf-8"), "the project's catalogue")
    if own is not None:
        try:
            text = own.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise CatalogueError(f"{own}: cannot be read: {reason}; name a readable file") from None
        models |= _read(text, str(own))
    return models


def _read(text: str, file: str) -> dict[str, SmallModel]:
    try:
        entries = msgspec.convert(yaml.safe_load(text), _File).models
    except yaml.YAMLError as error:
        raise CatalogueError(f"{file}: is not YAML: {_place(error)}") from None
    except msgspec.ValidationError as error:
        raise CatalogueError(f"{file}: {error}; write a list of models under `models:`") from None
    models: dict[str, SmallModel] = {}
    for index, entry in enumerate(entries):
        model = _model(entry, index, file)
        if model.name in models:
            raise CatalogueError(f"{file}: models[{index}]: {model.name!r} stands there twice; rename one")
        models[model.name] = model
    return models


def _model(entry: Mapping[str, Any], index: int, file: str) -> SmallModel:
    try:
        return msgspec.convert(entry, SmallModel)
    except msgspec.ValidationError as error:
        told, _, path = str(error).partition(" - at `$")
        where = f"models[{index}]{path.rstrip('`')}"
        value = _at(entry, path.rstrip("`"))
        shown = "" if value is None else f"{value!r}: "
        raise CatalogueError(f"{file}: {where} ({entry.get('name', 'no name')!r}): {shown}{told}") from None


def _at(entry: Any, path: str) -> Any:
    """The value at a path like `.tools.parser`; None when it is not there, or is no plain value."""
    for part in path.strip(".").split("."):
        if not isinstance(entry, Mapping):
            return None
        entry = entry.get(part)
    return entry if isinstance(entry, str | int | float | bool) else None


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it cannot be read"
    return problem if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
