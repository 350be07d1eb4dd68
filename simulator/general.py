"""A brain for requests that no scenario knows: valid in form, empty in meaning.

Agent frameworks can run their loops on it: it calls the tool that the user's words point at, follows schemas, and
sums tool results up in text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from serving.endpoints.answer import Answer, limited, tool_calls
from serving.endpoints.prompt import Prompt, text_of
from simulator.instances import instance

_WORD = re.compile(r"[a-z]{3,}")
_QUOTED = re.compile(r"[\"“']([^\"”']{1,80})[\"”']|\bin ([A-Z]\w+)|\b(\d+(?:\.\d+)?)\b")


class GeneralBrain:
    """Answers anything."""

    def answer(self, prompt: Prompt, index: int = 0) -> Answer:
        """A tool call where one is due, JSON where it was asked for, else a sentence."""
        tool = wanted_tool(prompt)
        if tool is not None:
            return tool_calls(prompt, (tool["name"], _dumps(_arguments(tool, prompt))), index=index)
        if prompt.schema is not None:
            return Answer(_dumps(instance(prompt.schema)))
        if prompt.json_mode:
            return Answer(_dumps({"answer": _sentence(prompt)}))
        return limited(Answer(_sentence(prompt)), prompt)


def wanted_tool(prompt: Prompt) -> Mapping[str, Any] | None:
    """The tool to call now: the one demanded, else the one nearest to the user's words; None for text.

    After a tool result only a demand (`tool_choice` required or by name) makes another call, and then of the tool
    that ends such loops where there is one (`final_…`)."""
    choice = prompt.tool_choice
    if not prompt.tools or choice == "none":
        return None
    if isinstance(choice, dict):
        name = (choice.get("function") or {}).get("name")
        return next((tool for tool in prompt.tools if tool.get("name") == name), prompt.tools[0])
    answered = prompt.last.get("role") == "tool"
    if answered and choice != "required":
        return None
    if answered:
        return next((tool for tool in prompt.tools if "final" in tool["name"]), prompt.tools[-1])
    return _nearest(prompt)


def _nearest(prompt: Prompt) -> Mapping[str, Any] | None:
    said = set(_WORD.findall(text_of(prompt.last).lower()))
    scored = [
        (
            len(
                said
                & set(
                    _WORD.findall(f"{tool['name']} {tool.get('description', '')}".lower().replace("_", " "))
                )
            ),
            tool,
        )
        for tool in prompt.tools
    ]
    best = max(scored, key=lambda pair: pair[0])
    return best[1] if best[0] or prompt.tool_choice == "required" else None


def _arguments(tool: Mapping[str, Any], prompt: Prompt) -> Any:
    """Arguments that fit the schema; text fields take what the user quoted, or named as a place or number."""
    schema = tool.get("parameters") or {"type": "object", "properties": {}}
    found = [next(filter(None, match)) for match in _QUOTED.findall(text_of(prompt.last))]
    known: dict[str, Any] = {}
    for name, field in (schema.get("properties") or {}).items():
        kind = field.get("type")
        matching = [text for text in found if (kind == "string") != text.replace(".", "", 1).isdigit()]
        if not matching:
            continue
        text = matching[0]
        found.remove(text)
        known[name] = int(float(text)) if kind == "integer" else float(text) if kind == "number" else text
    return instance(schema, known)


def _sentence(prompt: Prompt) -> str:
    last = text_of(prompt.last).strip()
    if prompt.last.get("role") == "tool":
        return f"The tool answered: {last[:400]}"
    return f"This is the simulator, no model: it read {len(prompt.messages)} message(s), the last of {len(last)} characters."


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()
