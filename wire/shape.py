"""Small readers of requests: what the router and the proxy must know of a body, whatever its endpoint.

Each takes a parsed body of any shape; a wrong type reads as absent, and nothing raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

from wire.tolerant import mapping, mappings, sequence, text

Endpoint = Literal["chat.completions", "completions", "responses", "messages", "other"]
FormatKind = Literal["text", "json_object", "json_schema"]
Body = Mapping[str, Any]
Turns = Sequence[Mapping[str, Any]]

_ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    "/v1/chat/completions": "chat.completions",
    "/v1/completions": "completions",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
}
_CONVERSATIONS: Final[Mapping[Endpoint, str]] = {"completions": "prompt", "responses": "input"}
"""The member that holds the conversation, where it is not `messages`."""

_SYSTEM_ROLES: Final = ("system", "developer")
_TOOL_RESULTS: Final = ("function_call_output", "custom_tool_call_output", "tool_result")
_IMAGES: Final = ("image_url", "input_image", "image")
_AUDIO: Final = ("input_audio", "audio")
_FILES: Final = ("file", "input_file", "document")


@lru_cache(maxsize=256)
def endpoint_of(path: str) -> Endpoint:
    """The endpoint of a request path, query string allowed; `other` for everything an SLM cannot answer."""
    return _ENDPOINTS.get(path.partition("?")[0].rstrip("/"), "other")


def is_stream(body: Body) -> bool:
    """Whether the request asks for an event stream."""
    return body.get("stream") is True


def system_text(endpoint: Endpoint, body: Body, conversation: Turns | None = None) -> str:
    """The instructions: system and developer messages, joined by newlines.

    `conversation` are the body's turns, where the caller has them already."""
    if conversation is None:
        conversation = turns(endpoint, body)
    parts = [content_text(turn.get("content")) for turn in conversation if turn.get("role") in _SYSTEM_ROLES]
    if endpoint == "responses":
        parts.insert(0, text(body.get("instructions")))
    elif endpoint == "messages":
        parts.insert(0, content_text(body.get("system")))
    return "\n".join([part for part in parts if part])


def last_user_text(endpoint: Endpoint, body: Body) -> str:
    """What the user said last; tool results are passed over."""
    return user_text(reversed(turns(endpoint, body)))


def user_text(conversation: Iterable[Mapping[str, Any]]) -> str:
    """What the user said in the first turn of theirs that holds text."""
    for turn in conversation:
        if turn.get("role") == "user" and (said := content_text(turn.get("content"))):
            return said
    return ""


def last_role(endpoint: Endpoint, body: Body) -> str:
    """Who spoke last: `user`, `assistant`, `tool`, `system`, …; empty when nobody did.

    Tool results read as `tool` on every endpoint, also where the wire gives them to the user (messages)."""
    last: Mapping[str, Any] = next(reversed(turns(endpoint, body)), {})
    if last.get("type") in _TOOL_RESULTS:
        return "tool"
    if any(part.get("type") in _TOOL_RESULTS for part in mappings(last.get("content"))):
        return "tool"
    role = text(last.get("role"))
    return "tool" if role == "function" else role


def tool_names(endpoint: Endpoint, body: Body) -> tuple[str, ...]:
    """Names of the tools offered, in order; a hosted tool without a name gives its type."""
    names = [tool_name(tool) for tool in mappings(body.get("tools"))]
    if "functions" in body:
        names += [text(function.get("name")) for function in mappings(body["functions"])]
    return tuple([name for name in names if name])


def tool_name(tool: Mapping[str, Any]) -> str:
    """The name of one entry of `tools`, on any endpoint."""
    nested = mapping(tool.get("function") or tool.get("custom"))
    name = nested.get("name") or tool.get("name") or tool.get("type")
    return name if isinstance(name, str) else ""


def response_format(endpoint: Endpoint, body: Body) -> Mapping[str, Any]:
    """The object that asks for a form of answer, wherever the endpoint keeps it; empty when there is none."""
    match endpoint:
        case "responses":
            return mapping(mapping(body.get("text")).get("format"))
        case "messages":
            return mapping(mapping(body.get("output_config")).get("format")) or mapping(
                body.get("output_format")
            )
        case _:
            return mapping(body.get("response_format"))


def response_format_kind(endpoint: Endpoint, body: Body) -> FormatKind:
    """The form of answer asked for; what is unknown reads as `text`."""
    match response_format(endpoint, body).get("type"):
        case "json_object":
            return "json_object"
        case "json_schema":
            return "json_schema"
        case _:
            return "text"


def expects_structure(endpoint: Endpoint, body: Body) -> bool:
    """Whether the answer may be something a program reads: JSON or tool calls."""
    return response_format_kind(endpoint, body) != "text" or bool(tool_names(endpoint, body))


def has_images(endpoint: Endpoint, body: Body) -> bool:
    """Whether any turn holds an image."""
    return _has_part(endpoint, body, _IMAGES)


def has_audio(endpoint: Endpoint, body: Body) -> bool:
    """Whether any turn holds audio, or audio is asked for."""
    return "audio" in sequence(body.get("modalities")) or _has_part(endpoint, body, _AUDIO)


def has_files(endpoint: Endpoint, body: Body) -> bool:
    """Whether any turn holds a file or a document."""
    return _has_part(endpoint, body, _FILES)


def turns(endpoint: Endpoint, body: Body) -> list[Mapping[str, Any]]:
    """The conversation as objects with `role` and `content`, or as the items of the responses endpoint."""
    given = body.get(_CONVERSATIONS.get(endpoint, "messages"))
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if endpoint == "completions":
        return [{"role": "user", "content": prompt} for prompt in sequence(given) if isinstance(prompt, str)]
    return mappings(given)


def content_text(content: object) -> str:
    """The text of a message's content: a string, or the text parts of a list joined by newlines."""
    if isinstance(content, str):
        return content
    return "\n".join([said for part in mappings(content) if (said := text(part.get("text")))])


def _has_part(endpoint: Endpoint, body: Body, kinds: tuple[str, ...]) -> bool:
    return any(part.get("type") in kinds for turn in turns(endpoint, body) for part in _parts(turn))


def _parts(turn: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The content parts of a turn, those inside tool results included."""
    for holder in (turn.get("content"), turn.get("output")):
        for part in mappings(holder):
            yield part
            yield from mappings(part.get("content"))
