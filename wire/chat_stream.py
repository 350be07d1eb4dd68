"""The final body of a chat completions stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wire.json_stream import JsonStream
from wire.merge import Indexed, settle
from wire.tolerant import mapping, mappings

_OUTPUT: Final = (
    "content",
    "refusal",
    "reasoning_content",
    "reasoning",
    "tool_calls",
    "function_call",
    "audio",
)


class ChoicesStream(JsonStream):
    """Chunks with `choices` that are told apart by their index; everything beside them is kept as last seen."""

    object_name = ""

    def __init__(self) -> None:
        super().__init__()
        self._chunk: dict[str, Any] = {}
        self._choices = Indexed()

    def take(self, data: Mapping[str, Any]) -> None:
        for choice in mappings(data.get("choices")):
            self._choices.add(choice)
            self.has_content = self.has_content or self.is_output(choice)
        for key, value in data.items():
            if key not in ("choices", "obfuscation") and (value is not None or key not in self._chunk):
                self._chunk[key] = value

    def body(self) -> dict[str, Any] | None:
        if not self._chunk:
            return None
        choices = [self.finished(settle(choice)) for choice in self._choices.entries()]
        body = {**self._chunk, "object": self.object_name, "choices": choices}
        if body.get("usage") is None:
            body.pop("usage", None)
        return body

    def is_output(self, choice: Mapping[str, Any]) -> bool:
        """Whether this piece of a choice holds output."""
        raise NotImplementedError

    def finished(self, choice: dict[str, Any]) -> dict[str, Any]:
        """The choice as a response without streaming has it."""
        return choice


class ChatStream(ChoicesStream):
    """Accumulates `chat.completion.chunk` objects."""

    object_name = "chat.completion"

    def is_output(self, choice: Mapping[str, Any]) -> bool:
        delta = mapping(choice.get("delta"))
        return any(delta.get(name) for name in _OUTPUT)

    def finished(self, choice: dict[str, Any]) -> dict[str, Any]:
        message = {"role": "assistant", "content": None, **mapping(choice.pop("delta", None))}
        if "tool_calls" in message:
            message["tool_calls"] = [_without_index(call) for call in mappings(message["tool_calls"])]
        index = choice.pop("index", 0)
        return {"index": index, "message": message, "logprobs": None, "finish_reason": None, **choice}


def _without_index(call: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in call.items() if key != "index"}
