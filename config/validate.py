"""Plain values to Settings: the types' complaints and the consistency findings, all at once and each in its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.consistency import Finding, findings
from config.document import Document, Path, Place, spelled
from config.fields import keys_at
from config.problem import VALUE_LENGTH, ConfigError, Problem
from config.settings import Settings
from config.values import NAME_PATTERN, NOT_A_VARIABLE

_KINDS: Final = {
    "string_type": ("is not a text", "put it into quotes"),
    "bool_type": ("is neither true nor false", ""),
    "bool_parsing": ("is neither true nor false", ""),
    "int_type": ("is not a whole number", ""),
    "int_parsing": ("is not a whole number", ""),
    "int_from_float": ("is not a whole number", ""),
    "float_type": ("is not a number", ""),
    "float_parsing": ("is not a number", ""),
    "dict_type": ("is not a mapping", "write keys and values"),
    "model_type": ("is not a mapping", "write keys and values"),
    "tuple_type": ("is not a list", "write it in [brackets] or as lines that start with -"),
    "too_short": ("is empty", "write at least one or leave it out"),
    "string_too_short": ("is empty", ""),
    "path_type": ("is not a path", ""),
}
"""Messages for the kinds of errors that pydantic words for programmers."""

_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s]+@")


def validated(document: Document, environ: Mapping[str, str]) -> Settings:
    """The settings of a file; raises ConfigError with every problem found."""
    if document.problems and not document.places:
        raise ConfigError(document.problems)
    found = list(findings(document.values, environ))
    try:
        settings = Settings.model_validate(document.values)
    except ValidationError as error:
        found += map(_finding, error.errors(include_url=False))
    problems = [*document.problems, *_problems(document, found)]
    if problems:
        raise ConfigError(problems)
    return settings


def _problems(document: Document, found: list[Finding]) -> list[Problem]:
    """The findings in their places; where the text itself is at fault, what follows from that is left out."""
    faulty = {problem.path for problem in document.problems}
    return [_problem(document, finding) for finding in found if spelled(finding.path) not in faulty]


def _finding(detail: ErrorDetails) -> Finding:
    """What a complaint of pydantic's means, in our words."""
    context, path, kind = detail.get("ctx", {}), detail["loc"], detail["type"]
    about: Literal["value", "key"] = "value"
    if path and path[-1] == "[key]":  # a name in a mapping of names
        path, about = path[:-1], "key"
    match kind:
        case "configuration":
            return Finding(path, str(context["message"]), str(context["remedy"]), about)
        case "extra_forbidden":
            return Finding(path, "is not a setting", _near_key(path), "key")
        case "missing":
            return Finding(path[:-1], f"{path[-1]} is missing", f"add {path[-1]}", "absence")
        case "literal_error":
            return Finding(path, f"is not {context['expected']}", "")
        case "string_pattern_mismatch" if context.get("pattern") == NAME_PATTERN:
            remedy = "use letters, digits and . _ : / @ + -, starting with a letter or digit"
            return Finding(path, "cannot be a name", remedy, about)
    message, remedy = _KINDS.get(kind, (_lower(detail["msg"]), ""))
    return Finding(path, message, remedy, about)


def _near_key(path: Path) -> str:
    keys = keys_at(path[:-1])
    close = get_close_matches(str(path[-1]), keys, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(keys)}"


def _lower(message: str) -> str:
    told = message.removeprefix("Input ").removeprefix("Value ")
    return told[:1].lower() + told[1:]


def _problem(document: Document, finding: Finding) -> Problem:
    place = _place(document, finding.path)
    line, column = (
        (place.key_line, place.key_column) if finding.about == "key" else (place.line, place.column)
    )
    value = _shown(document, finding, place)
    return Problem(document.file, line, column, spelled(finding.path), value, finding.message, finding.remedy)


def _place(document: Document, path: Path) -> Place:
    """The place of a path, or of the nearest part of it that the file holds."""
    for length in range(len(path), -1, -1):
        if place := document.places.get(path[:length]):
            return place
    return Place(1, 1, 1, 1) if document.places else Place(0, 0, 0, 0)


def _shown(document: Document, finding: Finding, place: Place) -> str:
    """The bad value as it may be shown: variables unreplaced, credentials and fixed headers masked."""
    if finding.about == "key":
        return repr(finding.path[-1])
    if finding.about == "absence":
        return ""
    if "headers" in finding.path[2:3] or finding.message == NOT_A_VARIABLE:
        return "'***'"  # what may be a key pasted into the wrong place
    value = place.written if place.written is not None else _at(document.values, finding.path)
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    shown = _CREDENTIALS.sub("***@", repr(value)) if isinstance(value, str) else repr(value)
    return shown if len(shown) <= VALUE_LENGTH else f"{shown[:VALUE_LENGTH]}…"


def _at(values: Any, path: Path) -> Any:
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return None
    return values
