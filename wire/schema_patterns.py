"""The keywords of JSON Schema that hold regular expressions, searched in bounded time.

They replace jsonschema's own, which use Python's module (see `wire.expression`). Each raises OutOfTime. What
`unevaluatedProperties` asks is not looked at beside `patternProperties`: jsonschema would search there with no bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from wire.expression import searcher

_searcher = lru_cache(maxsize=1024)(searcher)


def in_bounded_time(dialect: type[Validator], schema: bytes) -> type[Validator]:
    """The dialect with these keywords in place of its own, for a schema given as JSON."""
    return _bounded(dialect, b'"patternProperties"' in schema)


@lru_cache(maxsize=16)
def _bounded(dialect: type[Validator], by_pattern: bool) -> type[Validator]:
    keywords: dict[str, Callable[..., Any]] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    }
    if by_pattern:
        keywords["unevaluatedProperties"] = lambda *_: ()
    bounded: type[Validator] = extend(dialect, keywords)  # type: ignore[no-untyped-call]
    return bounded


def _pattern(
    validator: Validator, expression: str, instance: Any, _schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _searcher(expression)(instance):
        yield ValidationError(f"does not match {expression!r}")


def _pattern_properties(
    validator: Validator, patterns: Mapping[str, Any], instance: Any, _schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(instance, Mapping):
        return
    for expression, schema in patterns.items():
        found = _searcher(expression)
        for name, value in instance.items():
            if found(name):
                yield from validator.descend(value, schema, path=name, schema_path=expression)  # type: ignore[attr-defined]  # of every validator


def _additional_properties(
    validator: Validator, allowed: Any, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(instance, Mapping):
        return
    named = schema.get("properties", {})
    patterns = [_searcher(expression) for expression in schema.get("patternProperties", {})]
    extras = [name for name in instance if name not in named and not any(found(name) for found in patterns)]
    if isinstance(allowed, Mapping):
        for name in extras:
            yield from validator.descend(instance[name], allowed, path=name)  # type: ignore[attr-defined]  # of every validator
    elif not allowed and extras:
        yield ValidationError("holds members that the schema does not name")
