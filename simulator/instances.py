"""An instance of any JSON schema: what a model fills in where it knows nothing better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
_DEPTH = 8


def instance(schema: Schema, known: Mapping[str, Any] | None = None) -> Any:
    """A value that is valid under the schema; object fields named in `known` take its values where those fit."""
    return _Filler(schema, known or {}).fill(schema, 0)


class _Filler:
    def __init__(self, root: Schema, known: Mapping[str, Any]) -> None:
        self._root = root
        self._known = known

    def fill(self, schema: Schema, depth: int) -> Any:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        for word in ("anyOf", "oneOf", "allOf"):
            if schema.get(word):
                return self.fill(schema[word][0] if depth < _DEPTH else schema[word][-1], depth + 1)
        return self._of_type(schema, depth)

    def _of_type(self, schema: Schema, depth: int) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = kind[0]
        if kind == "object" or "properties" in schema:
            return self._object(schema, depth)
        if kind == "array":
            count = max(schema.get("minItems", 0), 1 if depth < 3 else 0)
            return [self.fill(schema.get("items") or {"type": "string"}, depth + 1) for _ in range(count)]
        if kind in ("integer", "number"):
            least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + ("exclusiveMinimum" in schema))
            return (
                least
                if "minimum" in schema or "exclusiveMinimum" in schema
                else min(1, schema.get("maximum", 1))
            )
        if kind == "boolean":
            return True
        return (
            None
            if kind == "null"
            else "example"[: schema.get("maxLength", 7)].ljust(schema.get("minLength", 0), "x")
        )

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        wanted = properties if depth < _DEPTH else {n: properties[n] for n in schema.get("required", ())}
        return {
            name: self._known[name] if self._fits(name, field) else self.fill(field, depth + 1)
            for name, field in wanted.items()
        }

    def _fits(self, name: str, schema: Schema) -> bool:
        if name not in self._known:
            return False
        value, schema = self._known[name], self._resolved(schema)
        if schema.get("enum"):
            return value in schema["enum"]
        options = [self._resolved(option) for option in schema.get("anyOf") or (schema,)]
        return any(_is_of(value, option.get("type")) for option in options)

    def _resolved(self, schema: Schema) -> Schema:
        seen = 0
        while "$ref" in schema and seen < _DEPTH:
            seen += 1
            target: Any = self._root
            for part in str(schema["$ref"]).removeprefix("#/").split("/"):
                target = target.get(part, {})
            schema = target
        return schema


def _is_of(value: Any, kind: Any) -> bool:
    kinds = kind if isinstance(kind, list) else [kind]
    name = {
        str: "string",
        bool: "boolean",
        int: "integer",
        float: "number",
        list: "array",
        dict: "object",
    }.get(type(value), "null")
    return kind is None or name in kinds or (name == "integer" and "number" in kinds)
