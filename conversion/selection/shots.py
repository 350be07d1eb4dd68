"""Examples in the prompt: which of the training calls to show, and where they go in a request."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from conversion.example import Example
from wire import shape
from wire.answer import Answer

_CHAT_LIKE: Final = ("chat.completions", "responses", "messages")
Message = dict[str, Any]


def usable(example: Example) -> bool:
    """Whether a call can be shown as one turn of the user and one of the assistant."""
    if example.endpoint not in _CHAT_LIKE or shape.last_role(example.endpoint, example.request) != "user":
        return False
    if example.answer.tool_calls and example.endpoint != "chat.completions":
        return False  # there, the call would have to be followed by its result, in another shape each
    return bool(_said(example) and (example.answer.text or example.answer.tool_calls))


def choose(examples: Sequence[Example], count: int) -> tuple[Example, ...]:
    """Calls that show as many different answers as possible, the commonest answers first, the newest call of each."""
    by_answer: dict[str, list[Example]] = defaultdict(list)
    for example in sorted(filter(usable, examples), key=lambda each: each.started):
        by_answer[_kind(example.answer)].append(example)
    common = Counter({answer: len(group) for answer, group in by_answer.items()})
    chosen: list[Example] = []
    while len(chosen) < count and any(by_answer.values()):
        for answer, _ in common.most_common():
            if by_answer[answer] and len(chosen) < count:
                chosen.append(by_answer[answer].pop())
    return tuple(chosen)


def shown(request: Mapping[str, Any], example: Example, shots: Sequence[Example]) -> dict[str, Any]:
    """The request of `example` with the shots before its last user message."""
    key = "input" if example.endpoint == "responses" else "messages"
    conversation = list(shape.turns(example.endpoint, request))
    place = max((i for i, turn in enumerate(conversation) if turn.get("role") == "user"), default=0)
    turns = [turn for index, shot in enumerate(shots) for turn in _turns(shot, index)]
    return {**request, key: [*conversation[:place], *turns, *conversation[place:]]}


def _said(example: Example) -> str:
    return shape.last_user_text(example.endpoint, example.request)


def _kind(answer: Answer) -> str:
    """Answers that show the same thing: short texts as they are, the names of tools, else all the same."""
    if answer.tool_calls:
        return "tools " + " ".join(sorted(call.name for call in answer.tool_calls))
    return answer.text.strip().casefold() if len(answer.text) <= 40 else "text"


def _turns(shot: Example, index: int) -> list[Message]:
    asked: Message = {"role": "user", "content": _said(shot)}
    answer = shot.answer
    if not answer.tool_calls:
        return [asked, {"role": "assistant", "content": answer.text}]
    calls = [
        {
            "id": f"shot{index}{place}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for place, call in enumerate(answer.tool_calls)
    ]
    results: list[Message] = [
        {"role": "tool", "tool_call_id": call["id"], "content": "done"} for call in calls
    ]
    return [asked, {"role": "assistant", "content": answer.text, "tool_calls": calls}, *results]
