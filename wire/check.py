"""Whether an understudy's answer can be used at all: is it whole, is it JSON, does it keep to the schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, Final, Literal, Protocol

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from wire.answer import Answer, ToolCall, answer_of
from wire.expression import BadExpression, OutOfTime
from wire.schema_patterns import in_bounded_time
from wire.shape import Endpoint, expects_structure, response_format, response_format_kind, tool_name
from wire.tolerant import mapping, mappings, text

Cause = Literal["empty", "refusal", "truncated", "schema", "tool"]


class _Validator(Protocol):
    def is_valid(self, instance: Any) -> bool: ...


_NO_JSON: Final = object()


class AnswerChecker:
    """Checks answers against what their requests demanded; compiled schemas are kept, the least used dropped."""

    def __init__(self, capacity: int = 256) -> None:
        self._compiled = lru_cache(maxsize=capacity)(_compile)

    def check(
        self, endpoint: Endpoint, request: Mapping[str, Any], response: Mapping[str, Any]
    ) -> Cause | None:
        """None when the answer can be used, else why not. A bad schema in the request is not held against it."""
        answer = answer_of(endpoint, response)
        if answer.refusal or answer.finish_reason == "content_filter":
            return "refusal"
        if not answer.text and not answer.tool_calls:
            return "truncated" if answer.finish_reason == "length" else "empty"
        if answer.finish_reason == "length" and expects_structure(endpoint, request):
            return "truncated"
        if answer.tool_calls or _must_call(request):
            return self._check_calls(answer, request)
        return self._check_text(endpoint, request, answer)

    def _check_calls(self, answer: Answer, request: Mapping[str, Any]) -> Cause | None:
        good = bool(answer.tool_calls) and all(self._good_call(call, request) for call in answer.tool_calls)
        return None if good else "tool"

    def _good_call(self, call: ToolCall, request: Mapping[str, Any]) -> bool:
        tool = _tool_named(call.name, request)
        if tool is None:
            return False
        if tool.get("type") == "custom":  # takes free text
            return True
        arguments = _loads(call.arguments or "{}")
        function = mapping(tool.get("function")) or tool
        schema = function.get("parameters", function.get("input_schema", {}))
        return isinstance(arguments, dict) and self._keeps(schema, arguments)

    def _check_text(self, endpoint: Endpoint, request: Mapping[str, Any], answer: Answer) -> Cause | None:
        kind = response_format_kind(endpoint, request)
        if kind == "text":
            return None
        value = _loads(answer.text)
        if value is _NO_JSON or (kind == "json_object" and not isinstance(value, dict)):
            return "schema"
        asked = response_format(endpoint, request)
        schema = mapping(asked.get("json_schema")).get("schema", asked.get("schema"))
        return None if kind == "json_object" or self._keeps(schema, value) else "schema"

    def _keeps(self, schema: object, value: Any) -> bool:
        """Whether the value is valid; true as well when the schema itself is not, or points out of itself. A value
        that a pattern of the schema cannot be held to in time is not taken for valid."""
        if not isinstance(schema, Mapping):
            return True
        try:
            validator = self._compiled(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS))
            return validator is None or validator.is_valid(value)
        except (Unresolvable, RecursionError, BadExpression, re.error, orjson.JSONEncodeError):
            return True
        except OutOfTime:
            return False


def _compile(schema: bytes) -> _Validator | None:
    """A validator that never fetches anything; None for a schema that is none."""
    parsed = orjson.loads(schema)
    dialect = validator_for(parsed, default=Draft202012Validator)
    try:
        dialect.check_schema(parsed)
    except SchemaError:
        return None
    validator: _Validator = in_bounded_time(dialect, schema)(parsed, registry=Registry())
    return validator


def _must_call(request: Mapping[str, Any]) -> bool:
    """Whether the request leaves no choice but to call a tool."""
    choice = request.get("tool_choice", request.get("function_call"))
    kind = text(mapping(choice).get("type"))
    return choice == "required" or kind in ("function", "custom", "any", "tool") or "name" in mapping(choice)


def _tool_named(name: str, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The tool that was offered under a name."""
    offered = chain(mappings(request.get("tools")), mappings(request.get("functions")))
    return next((tool for tool in offered if tool_name(tool) == name), None)


def _loads(value: str) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return _NO_JSON
