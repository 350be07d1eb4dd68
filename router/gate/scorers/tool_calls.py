"""Tool calls: the same tools, with arguments that mean the same once the schema's defaults are filled in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from router.gate.scorers.free_text import TextScorer
from router.gate.scorers.json_values import field_f1, parse
from router.gate.scorers.score import Score, Scorer
from wire.answer import Answer, ToolCall
from wire.shape import tool_name
from wire.tolerant import mapping, mappings


@dataclass(frozen=True, slots=True)
class ToolCallScorer:
    """Agrees when both call the same tools equally often, with the same arguments, in any order.

    Text beside calls is not compared. Where one answer calls nothing, `otherwise` scores the pair."""

    schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Schema of the arguments, by name of the tool."""
    otherwise: Scorer = field(default_factory=TextScorer)

    def score(self, llm: Answer, understudy: Answer) -> Score:
        """Compare the answers' calls."""
        if not llm.tool_calls or not understudy.tool_calls:
            return self.otherwise.score(llm, understudy)
        wanted, made = _names(llm.tool_calls), _names(understudy.tool_calls)
        if wanted != made:
            common = (wanted & made).total()
            value = 2 * common / (wanted.total() + made.total())
            return Score(False, value / 2, "other tools are called")
        return self._score_arguments(llm.tool_calls, understudy.tool_calls)

    def _score_arguments(self, wanted: tuple[ToolCall, ...], made: tuple[ToolCall, ...]) -> Score:
        """Equal calls are paired off first; each one left is held against the first left of its name."""
        left = [(call.name, self._meaning(call)) for call in made]
        unmatched = []
        for call in wanted:
            meant = (call.name, self._meaning(call))
            if meant in left:
                left.remove(meant)
            else:
                unmatched.append(meant)
        if not unmatched:
            return Score(True, 1.0, "the same calls")
        alike = 0.0
        for name, meaning in unmatched:
            other = next(each for each in left if each[0] == name)
            left.remove(other)
            alike += field_f1(orjson.loads(meaning), orjson.loads(other[1]))
        value = (len(wanted) - len(unmatched) + alike) / len(wanted)
        return Score(False, min(value, 1.0), f"arguments of {len(unmatched)} of {len(wanted)} calls differ")

    def _meaning(self, call: ToolCall) -> bytes:
        """The arguments in canonical JSON; what is no object stands as the text that it is."""
        arguments = parse(call.arguments or "{}")
        if not isinstance(arguments, dict):
            return orjson.dumps(call.arguments.encode("utf-8", "replace").decode())
        filled = with_defaults(arguments, self.schemas.get(call.name, {}))
        return orjson.dumps(_canonical(filled), option=orjson.OPT_SORT_KEYS)


def schemas_of(request: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Schemas of the arguments of a request's tools, on any endpoint."""
    found = {}
    for tool in [*mappings(request.get("tools")), *mappings(request.get("functions"))]:
        function = mapping(tool.get("function")) or tool
        found[tool_name(tool)] = mapping(function.get("parameters", function.get("input_schema")))
    return found


def with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    """The value with absent members that have a default in the schema, on every level that the value has."""
    if isinstance(value, list):
        return [with_defaults(item, mapping(schema.get("items"))) for item in value]
    if not isinstance(value, dict):
        return value
    properties = {name: mapping(each) for name, each in mapping(schema.get("properties")).items()}
    absent = {name: each["default"] for name, each in properties.items() if "default" in each}
    return absent | {name: with_defaults(member, properties.get(name, {})) for name, member in value.items()}


def _canonical(value: Any) -> Any:
    """Whole floats as integers, so that 2.0 and 2 are written alike."""
    if isinstance(value, dict):
        return {name: _canonical(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _names(calls: tuple[ToolCall, ...]) -> Counter[str]:
    return Counter(call.name for call in calls)
