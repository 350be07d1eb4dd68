"""An understudy's answer is refused for what is wrong with it, and never for what is wrong with the request."""

from __future__ import annotations

from typing import Any

import pytest

from wire.check import AnswerChecker
from wire.shape import Endpoint

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "integer"}},
    "required": ["id"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "find", "parameters": SCHEMA}}


def with_schema(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}


def said(content: str | None, finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content, **message}, "finish_reason": finish}]}


def called(*calls: tuple[str, str]) -> dict[str, Any]:
    tool_calls = [{"type": "function", "function": {"name": name, "arguments": text}} for name, text in calls]
    return said(None, "tool_calls", tool_calls=tool_calls)


@pytest.mark.parametrize(
    ("request_body", "response", "cause"),
    [
        ({}, said("hello"), None),
        ({}, said(""), "empty"),
        ({}, said(None), "empty"),
        ({}, {}, "empty"),
        ({}, said("", "length"), "truncated"),
        ({}, said("cut", "length"), None),
        ({}, said(None, refusal="no"), "refusal"),
        ({}, said("", "content_filter"), "refusal"),
        (with_schema(SCHEMA), said('{"id": 1}'), None),
        (with_schema(SCHEMA), said('{"id": "1"}'), "schema"),
        (with_schema(SCHEMA), said('{"id": 1, "more": 2}'), "schema"),
        (with_schema(SCHEMA), said("It is 1."), "schema"),
        (with_schema(SCHEMA), said('{"id": 1', "length"), "truncated"),
        (with_schema({"type": "array"}), said("[]"), None),
        ({"response_format": {"type": "json_object"}}, said('{"any": 1}'), None),
        ({"response_format": {"type": "json_object"}}, said("[1]"), "schema"),
        ({"tools": [TOOL]}, called(("find", '{"id": 1}')), None),
        ({"tools": [TOOL]}, called(("find", '{"id": 1}'), ("find", '{"id": 2}')), None),
        ({"tools": [TOOL]}, said("No need to look."), None),
        ({"tools": [TOOL]}, called(("lose", '{"id": 1}')), "tool"),
        ({"tools": [TOOL]}, called(("find", "{")), "tool"),
        ({"tools": [TOOL]}, called(("find", "[1]")), "tool"),
        ({"tools": [TOOL]}, called(("find", '{"id": 1}'), ("find", "{}")), "tool"),
        ({}, called(("find", "{}")), "tool"),
        ({"tools": [TOOL], "tool_choice": "required"}, said("No."), "tool"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "find"}}},
            said("No."),
            "tool",
        ),
        (
            {"tools": [TOOL], "tool_choice": "auto", **with_schema(SCHEMA)},
            called(("find", '{"id": 1}')),
            None,
        ),
        ({"functions": [{"name": "find", "parameters": SCHEMA}]}, called(("find", "{}")), "tool"),
        ({"tools": [{"type": "function", "function": {"name": "ping"}}]}, called(("ping", "")), None),
    ],
)
def test_chat(request_body: dict[str, Any], response: dict[str, Any], cause: str | None) -> None:
    assert AnswerChecker().check("chat.completions", request_body, response) == cause


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"properties": 7},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "#/definitions/missing"},
        {"$ref": "#"},
        {"pattern": "("},
        {"$schema": "http://127.0.0.1:9/none"},
        "a string",
        None,
    ],
)
def test_a_bad_schema_is_not_held_against_the_answer(schema: Any) -> None:
    assert AnswerChecker().check("chat.completions", with_schema(schema), said('"text"')) is None


PATHOLOGICAL = "^(a|aa)+$"


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"pattern": PATHOLOGICAL}, '"{}"'),
        ({"patternProperties": {PATHOLOGICAL: {"type": "string"}}}, '{{"{}": "x"}}'),
        ({"patternProperties": {PATHOLOGICAL: True}, "additionalProperties": False}, '{{"{}": "x"}}'),
        ({"items": {"properties": {"deep": {"pattern": PATHOLOGICAL}}}}, '[{{"deep": "{}"}}]'),
        ({"patternProperties": {PATHOLOGICAL: True}, "unevaluatedProperties": False}, '{{"{}": "x"}}'),
        (
            {"unevaluatedProperties": False, "anyOf": [{"patternProperties": {PATHOLOGICAL: True}}]},
            '{{"{}": 1}}',
        ),
    ],
)
def test_a_pattern_that_would_never_end_is_given_up(schema: dict[str, Any], text: str) -> None:
    """Python's own search would take longer than the test may: every further letter doubles its time."""
    answer = said(text.format("a" * 60 + "b"))
    assert AnswerChecker().check("chat.completions", with_schema(schema), answer) == "schema"


@pytest.mark.parametrize(
    ("schema", "text", "cause"),
    [
        ({"pattern": "^ORD-[0-9]+$"}, '"ORD-17"', None),
        ({"pattern": "^ORD-[0-9]+$"}, '"17"', "schema"),
        ({"pattern": "^ORD-[0-9]+$"}, "17", None),
        ({"patternProperties": {"^x": {"type": "integer"}}}, '{"x1": 1, "y": "any"}', None),
        ({"patternProperties": {"^x": {"type": "integer"}}}, '{"x1": "1"}', "schema"),
        ({"patternProperties": {"^x": {"type": "integer"}}}, "7", None),
        ({"patternProperties": {"^x": True}, "additionalProperties": False}, '{"x1": 1}', None),
        ({"patternProperties": {"^x": True}, "additionalProperties": False}, '{"y": 1}', "schema"),
        ({"properties": {"y": True}, "additionalProperties": False}, '{"y": 1}', None),
        ({"additionalProperties": {"type": "string"}}, '{"y": 1}', "schema"),
        ({"additionalProperties": {"type": "string"}}, '{"y": "1"}', None),
        ({"additionalProperties": False}, "[]", None),
        ({"additionalProperties": True}, '{"y": 1}', None),
        ({"properties": {"y": True}, "unevaluatedProperties": False}, '{"x": 1}', "schema"),
    ],
)
def test_keywords_that_hold_patterns(schema: dict[str, Any], text: str, cause: str | None) -> None:
    assert AnswerChecker().check("chat.completions", with_schema(schema), said(text)) == cause


@pytest.mark.parametrize(
    ("endpoint", "request_body", "response", "cause"),
    [
        (
            "responses",
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}},
            {
                "status": "completed",
                "output": [{"type": "message", "content": [{"type": "output_text", "text": "{}"}]}],
            },
            "schema",
        ),
        (
            "responses",
            {"tools": [{"type": "function", "name": "find", "parameters": SCHEMA}]},
            {
                "status": "completed",
                "output": [{"type": "function_call", "name": "find", "arguments": '{"id":1}'}],
            },
            None,
        ),
        (
            "responses",
            {"tools": [{"type": "custom", "name": "run"}]},
            {
                "status": "completed",
                "output": [{"type": "custom_tool_call", "name": "run", "input": "free text"}],
            },
            None,
        ),
        (
            "messages",
            {"tools": [{"name": "find", "input_schema": SCHEMA}], "tool_choice": {"type": "any"}},
            {
                "content": [{"type": "tool_use", "name": "find", "input": {"id": "x"}}],
                "stop_reason": "tool_use",
            },
            "tool",
        ),
        ("messages", {}, {"content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"}, None),
        ("completions", {}, {"choices": [{"text": "hi", "finish_reason": "stop"}]}, None),
    ],
)
def test_other_endpoints(
    endpoint: Endpoint, request_body: dict[str, Any], response: dict[str, Any], cause: str | None
) -> None:
    assert AnswerChecker().check(endpoint, request_body, response) == cause
