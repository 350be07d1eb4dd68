"""A YAML text as plain values, with the place of each in the file.

YAML 1.2's plain scalars, so that `off`, `no` and `12:30` are texts; duplicate keys are refused; `${VAR}` and
`${VAR:-default}` in any text are replaced from the environment, `$${` stands for `${`. Aliases are followed within
limits, because nine short lines of them can stand for a billion values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from config.problem import Problem

MAX_BYTES: Final = 4 * 2**20
MAX_VALUES: Final = 100_000
MAX_DEPTH: Final = 40

Path = tuple[str | int, ...]

_REFERENCE: Final = re.compile(
    r"\$(?:(?P<escaped>\$\{)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<broken>\{))"
)
_TAG_PREFIX: Final = "tag:yaml.org,2002:"
_TAGS: Final = ("str", "int", "float", "bool", "null", "timestamp", "value", "merge", "seq", "map")
_NULL: Final = ("", "~", "null", "Null", "NULL")
_TRUE: Final = ("true", "True", "TRUE")
_FALSE: Final = ("false", "False", "FALSE")
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, and where its key does; lines and columns count from 1."""

    line: int
    column: int
    key_line: int
    key_column: int
    written: str | None = None
    """The text before variables were replaced, where any was: what may be shown of it."""


@dataclass(frozen=True, slots=True)
class Document:
    """Plain values (dict, list, str, int, float, bool, None) and their places."""

    file: str
    values: dict[str, Any]
    places: Mapping[Path, Place]
    """Empty when the text is no YAML at all."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the text as YAML, and variables that are not set."""


def parse(text: bytes, file: str, environ: Mapping[str, str]) -> Document:
    """Read a YAML text; what is wrong with it stands in `problems`."""
    reader = _Reader(file, environ)
    values = reader.read(text)
    return Document(file, values, reader.places, tuple(reader.problems))


def spelled(path: Path) -> str:
    """A path as people write it: `rules[2].when.model`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


class _TooLarge(Exception):
    """The values that a text stands for, aliases followed, are beyond the limits."""


class _Reader:
    """Turns the node tree of one text into values, gathering places and problems on the way."""

    def __init__(self, file: str, environ: Mapping[str, str]) -> None:
        self.file = file
        self.environ = environ
        self.places: dict[Path, Place] = {}
        self.problems: list[Problem] = []

    def read(self, text: bytes) -> dict[str, Any]:
        root = self._compose(text)
        if root is None:
            return {}
        try:
            values = self._value((), root, root)
        except _TooLarge:
            self._problem(root, (), "", "stands for too many values", "use fewer aliases and less nesting")
            return {}
        if isinstance(values, dict):
            return values
        if values is not None:
            self._problem(root, (), "", "the file is not a mapping", "start with version: 1")
        return {}

    def _compose(self, text: bytes) -> yaml.Node | None:
        if len(text) > MAX_BYTES:
            self._whole(f"the file is larger than {MAX_BYTES} bytes", "a configuration is far smaller")
            return None
        try:
            return yaml.compose(text.decode("utf-8-sig"), Loader=yaml.SafeLoader)
        except UnicodeDecodeError as error:
            before = text[: error.start]
            column = error.start - before.rfind(b"\n")
            self._whole("the file is not UTF-8", "save it as UTF-8", before.count(b"\n") + 1, column)
        except yaml.MarkedYAMLError as error:
            self._syntax(error)
        except yaml.reader.ReaderError as error:
            self._whole(f"the file holds the character {chr(int(error.character))!r}", "remove it", 1, 1)
        except RecursionError:
            self._whole("the file is nested too deeply", "use less nesting", 1, 1)
        return None

    def _syntax(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        told = " ".join(part for part in (error.problem, error.context) if part)
        self._whole(f"not YAML: {told}", "check indentation, quotes and brackets", line, column)

    def _value(self, path: Path, node: yaml.Node, key: yaml.Node) -> Any:
        if len(self.places) >= MAX_VALUES or len(path) > MAX_DEPTH:
            raise _TooLarge
        self.places[path] = _place(node, key)
        if node.tag.removeprefix(_TAG_PREFIX) not in _TAGS:
            self._problem(node, path, repr(node.tag), "is a tag this file does not use", "remove it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(path, node)
        if isinstance(node, yaml.SequenceNode):
            return [self._value((*path, index), item, item) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(path, node, key)

    def _mapping(self, path: Path, node: yaml.MappingNode) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problem(
                    key, path, "", "a key must be a text", "quote keys that hold brackets or braces"
                )
            elif key.value in values:
                first = self.places[(*path, key.value)]
                told = f"is here for the second time (first in line {first.key_line})"
                self._problem(key, (*path, key.value), repr(key.value), told, "keep one of them")
            else:
                values[key.value] = self._value((*path, key.value), value, key)
        return values

    def _scalar(self, path: Path, node: yaml.ScalarNode, key: yaml.Node) -> Any:
        written = str(node.value)
        if "${" in written:
            self.places[path] = _place(node, key, written)
            return _REFERENCE.sub(lambda found: self._replace(found, node, path), written)
        return _plain(written) if node.style is None else written

    def _replace(self, found: re.Match[str], node: yaml.Node, path: Path) -> str:
        if found["escaped"]:
            return "${"
        if found["broken"]:
            self._problem(
                node,
                path,
                repr(node.value),
                "holds an unfinished ${",
                "write ${VAR} or ${VAR:-default}, or $${ for the text",
            )
            return ""
        name, default = found["name"], found["default"]
        value = self.environ.get(name, "")
        if not value and default is not None:
            return default
        if name not in self.environ:
            told = f"names the variable {name}, which is not set"
            self._problem(node, path, repr(node.value), told, f"set it or write ${{{name}:-default}}")
        return value

    def _problem(self, node: yaml.Node, path: Path, value: str, message: str, remedy: str) -> None:
        mark = node.start_mark
        place = (mark.line + 1, mark.column + 1)
        self.problems.append(Problem(self.file, *place, spelled(path), value, message, remedy))

    def _whole(self, message: str, remedy: str, line: int = 0, column: int = 0) -> None:
        self.problems.append(Problem(self.file, line, column, "", "", message, remedy))


def _place(node: yaml.Node, key: yaml.Node, written: str | None = None) -> Place:
    start, name = node.start_mark, key.start_mark
    return Place(start.line + 1, start.column + 1, name.line + 1, name.column + 1, written)


def _plain(text: str) -> Any:
    """The value of an unquoted scalar, by the core schema of YAML 1.2."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text
