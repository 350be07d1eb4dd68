"""The text of a call that an encoder reads: what came last, since that is what the answer is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from wire import shape
from wire.shape import Body, Endpoint, content_text
from wire.tolerant import mappings, text

LENGTH: Final = 4_000
"""Characters that are kept; of a longer text the first and the last half of that."""

_RESULTS: Final = ("function_call_output", "custom_tool_call_output")


def input_text(endpoint: Endpoint, body: Body) -> str:
    """The last tool results when those came last, else what the user said last, else the last text of all.

    The same request gives the same text in training and in serving; instructions are left out, being those of the
    task, unless nothing else was said."""
    conversation = shape.turns(endpoint, body)
    found = (
        _last_results(conversation)
        or shape.user_text(reversed(conversation))
        or _last_text(conversation)
        or shape.system_text(endpoint, body, conversation)
    )
    return bounded(found)


def bounded(found: str) -> str:
    """The text, without its middle where it is too long."""
    if len(found) <= LENGTH:
        return found
    return f"{found[: LENGTH // 2]}\n{found[-LENGTH // 2 :]}"


def _last_results(conversation: Sequence[Mapping[str, Any]]) -> str:
    """Everything that tools gave back at the end of the conversation, in order; empty when something else came last."""
    results: list[str] = []
    for turn in reversed(conversation):
        given = _results(turn)
        if not given:
            break
        results[:0] = given
    return "\n".join(results)


def _results(turn: Mapping[str, Any]) -> list[str]:
    """The texts of a turn's tool results."""
    if turn.get("type") in _RESULTS:
        return _said(turn.get("output"))
    if turn.get("role") in ("tool", "function"):
        return _said(turn.get("content"))
    parts = mappings(turn.get("content"))
    results = [
        each for part in parts if part.get("type") == "tool_result" for each in _said(part.get("content"))
    ]
    return results + [spoken for part in parts if (spoken := text(part.get("text")))] if results else []


def _said(content: object) -> list[str]:
    spoken = content_text(content)
    return [spoken] if spoken else []


def _last_text(conversation: Sequence[Mapping[str, Any]]) -> str:
    for turn in reversed(conversation):
        if turn.get("role") not in ("system", "developer") and (spoken := content_text(turn.get("content"))):
            return spoken
    return ""
