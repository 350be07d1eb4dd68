"""Instances are valid under their schemas, whatever these ask for."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.instances import instance

LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "minLength": 9},
        {"type": "string", "maxLength": 3},
        {"type": "integer", "minimum": 5},
        {"type": "integer", "maximum": -2},
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "boolean"},
        {"type": "null"},
        {"type": ["string", "null"]},
        {"enum": ["a", 2]},
        {"const": {"x": 1}},
    ]
)


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("abcd"), inner, max_size=3).map(_object),
        inner.map(lambda item: {"type": "array", "items": item, "minItems": 2}),
        inner.map(lambda item: {"anyOf": [item, {"type": "null"}]}),
    ),
    max_leaves=8,
)


@given(SCHEMAS)
def test_instances_are_valid(schema: dict[str, Any]) -> None:
    jsonschema.validate(instance(schema), schema)


def test_references_and_recursion() -> None:
    schema = {
        "$defs": {
            "node": _object(
                {"name": {"type": "string"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}
            )
        },
        "$ref": "#/$defs/node",
    }
    jsonschema.validate(instance(schema), schema)


@pytest.mark.parametrize(
    ("field", "value", "taken"),
    [
        ({"type": "string"}, "mug", True),
        ({"type": "integer"}, "mug", False),
        ({"type": ["integer", "null"]}, None, True),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 4, True),
        ({"enum": ["red"]}, "blue", False),
    ],
)
def test_known_values_are_taken_where_they_fit(field: dict[str, Any], value: Any, taken: bool) -> None:
    assert (instance(_object({"thing": field}), {"thing": value})["thing"] == value) is taken
