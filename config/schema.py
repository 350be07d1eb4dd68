"""The JSON Schema of the file, for the YAML language server and other editors."""

from __future__ import annotations

from typing import Any, Final

from config.settings import Settings
from router.when import KEYS

SCHEMA_ID: Final = "https://json-schema.org/draft/2020-12/schema"
_PATTERN: Final = {"type": "string"}
_PATTERNS: Final = {"anyOf": [_PATTERN, {"type": "array", "items": _PATTERN, "minItems": 1}]}
_FLAG: Final = {"type": "boolean"}
_TOKENS: Final = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^\s*((<=|>=|<|>|=)?\s*[0-9]+|[0-9]+\s*\.\.\s*[0-9]+)\s*$"},
    ]
}
_REFERENCE: Final = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"}
"""`${VAR}` may stand wherever a text, a number or a word may."""


def json_schema() -> dict[str, Any]:
    """The schema as plain values, ready to be written as JSON."""
    schema = Settings.model_json_schema(mode="validation")
    schema["$defs"]["Rule"]["properties"]["when"] = _when()
    _allow_references(schema)
    return {"$schema": SCHEMA_ID, **schema, "title": "Understudy configuration"}


def _when() -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {"tokens": _TOKENS, "stream": _FLAG, "images": _FLAG}
    return {
        "type": "object",
        "description": "Conditions that must all hold: globs, /regular expressions/, or lists of them.",
        "properties": {key: dict(kinds.get(key, _PATTERNS)) for key in KEYS},
        "patternProperties": {r"^(header|metadata)\..+$": _PATTERNS},
        "additionalProperties": False,
    }


def _allow_references(schema: dict[str, Any]) -> None:
    """Let `${VAR}` stand for every number and word; plain texts take it as they are."""
    for section in (schema, *schema["$defs"].values()):
        for held in section["properties"].values():
            kinds = held.pop("anyOf", None) or [_without_notes(held)]
            held["anyOf"] = [*kinds, dict(_REFERENCE)] if _is_narrow(kinds) else kinds


def _without_notes(held: dict[str, Any]) -> dict[str, Any]:
    """Move what describes the value itself out of a property, leaving title, description and default."""
    return {name: held.pop(name) for name in list(held) if name not in ("title", "description", "default")}


def _is_narrow(kinds: list[dict[str, Any]]) -> bool:
    """Whether only single values fit, and not any text."""
    return all(map(_is_scalar, kinds)) and {"type": "string"} not in kinds


def _is_scalar(kind: dict[str, Any]) -> bool:
    return kind.get("type") in ("integer", "number", "boolean", "string", "null") and "const" not in kind
