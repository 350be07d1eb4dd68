"""A walk along the settings' types: which section stands at a path, and what keys it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic.fields import FieldInfo

from config.settings import Section, Settings


def keys_at(path: Sequence[str | int]) -> tuple[str, ...]:
    """The keys that the section at `path` knows; none where the path leads to no section."""
    section: type[Section] | None = Settings
    within = False
    for part in path:
        if within:  # the name or number of an entry, whose section was taken with the collection
            within = False
        elif section is None or part not in section.model_fields:
            return ()
        else:
            annotation = section.model_fields[str(part)].annotation
            section, within = section_in(annotation), bool(_entry(annotation))
    return tuple(section.model_fields) if section is not None else ()


def section_in(annotation: Any) -> type[Section] | None:
    """The section that an annotation holds, directly or as the entries of a mapping or list."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, map(section_in, get_args(annotation))), None)


def walk(section: type[Section] = Settings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting as `upstreams.NAME.timeouts.connect`, `rules[].share`, with its field."""
    for name, held in section.model_fields.items():
        path = f"{prefix}{name}"
        yield path, held
        if inner := section_in(held.annotation):
            yield from walk(inner, f"{path}{_entry(held.annotation)}.")


def _entry(annotation: Any) -> str:
    origin = getattr(annotation, "__origin__", None)
    return {dict: ".NAME", tuple: "[]"}.get(origin, "") if origin else ""
