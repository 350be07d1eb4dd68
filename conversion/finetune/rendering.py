"""A call as tokens, by the chat template that vLLM will use.

vLLM changes messages before its template sees them: parts of text are joined by line breaks, arguments of tool calls
are parsed, absent content is an empty string (vllm.renderers.chat_utils). The same is done here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from wire.answer import Answer
from wire.tolerant import mapping, mappings, text

Tokens = Sequence[int]

_FUNCTION_FIELDS: Final = ("name", "description", "parameters")


class RenderingError(Exception):
    """A call that the chat template cannot show, or shows with its prompt changed once the answer is there."""


class Tokenizer(Protocol):
    """What is needed of a transformers tokenizer."""

    def apply_chat_template(self, conversation: Any, **options: Any) -> Any: ...

    def encode(self, text: str, **options: Any) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Rendered:
    """A call's tokens: what the model is given, and what it should say."""

    prompt: Tokens
    completion: Tokens


class Rendering:
    """Renders chat completions with a tokenizer; `options` go to its chat template."""

    def __init__(self, tokenizer: Tokenizer, options: Mapping[str, Any] | None = None) -> None:
        self._tokenizer = tokenizer
        self._options = dict(options or {})

    def prompt(self, request: Mapping[str, Any]) -> str:
        """What the model is given. Raises RenderingError."""
        return self._text(request, messages_of(request), generate=True)

    def tokens(self, request: Mapping[str, Any]) -> Tokens:
        """What the model is given, as tokens. Raises RenderingError."""
        return self._encoded(self.prompt(request))

    def call(self, request: Mapping[str, Any], answer: Answer) -> Rendered:
        """A call with its answer. Raises RenderingError."""
        given = self.prompt(request)
        whole = self._text(request, [*messages_of(request), message_of(answer)], generate=False)
        if not whole.startswith(given):
            raise RenderingError("the chat template shows the prompt differently once there is an answer")
        return Rendered(self._encoded(given), self._encoded(whole.removeprefix(given)))

    def _text(
        self, request: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], *, generate: bool
    ) -> str:
        from jinja2 import TemplateError  # noqa: PLC0415  (comes with transformers, an extra)

        try:
            shown: str = self._tokenizer.apply_chat_template(
                list(messages),
                tools=tools_of(request),
                tokenize=False,
                add_generation_prompt=generate,
                **self._options,
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise RenderingError(f"the chat template refuses the messages ({type(error).__name__})") from None
        return shown

    def _encoded(self, text: str) -> Tokens:
        return self._tokenizer.encode(text, add_special_tokens=False)


def messages_of(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A request's messages as vLLM hands them to the template."""
    return [_shown(message) for message in mappings(request.get("messages"))]


def message_of(answer: Answer) -> dict[str, Any]:
    """An answer as the message that it is."""
    calls = [
        {"type": "function", "function": {"name": call.name, "arguments": _parsed(call.arguments)}}
        for call in answer.tool_calls
    ]
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    return message | {"tool_calls": calls} if calls else message


def tools_of(request: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """A request's tools as vLLM hands them to the template; None when there are none."""
    tools = []
    for tool in mappings(request.get("tools")):
        function = mapping(tool.get("function"))
        shown = {name: function.get(name) for name in _FUNCTION_FIELDS}
        if function.get("strict") is not None:
            shown["strict"] = function["strict"]
        tools.append({"type": "function", "function": shown})
    return tools or None


def _shown(message: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"role": message.get("role"), "content": _content(message.get("content"))}
    shown |= {name: message[name] for name in ("name", "tool_call_id") if isinstance(message.get(name), str)}
    calls = [
        {
            **call,
            "function": {
                **mapping(call.get("function")),
                "arguments": _parsed(mapping(call.get("function")).get("arguments")),
            },
        }
        for call in mappings(message.get("tool_calls"))
    ]
    return shown | {"tool_calls": calls} if calls else shown


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(text(part.get("text")) for part in mappings(content))


def _parsed(arguments: object) -> Any:
    """Arguments of a tool call as an object; what is none stays as it is."""
    if not isinstance(arguments, str):
        return arguments or {}
    try:
        found = json.loads(arguments or "{}")
    except ValueError:
        return arguments
    return found if isinstance(found, dict) else arguments
