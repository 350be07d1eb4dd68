"""What the API refuses before any model sees it: broken JSON, missing and unknown fields, wrong types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from serving.endpoints.errors import ApiError

FIELDS: Final = {
    "chat.completions": frozenset(
        [
            "audio",
            "frequency_penalty",
            "function_call",
            "functions",
            "logit_bias",
            "logprobs",
            "max_completion_tokens",
            "max_tokens",
            "messages",
            "metadata",
            "modalities",
            "model",
            "moderation",
            "n",
            "parallel_tool_calls",
            "prediction",
            "presence_penalty",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "reasoning_effort",
            "response_format",
            "safety_identifier",
            "seed",
            "service_tier",
            "stop",
            "store",
            "stream",
            "stream_options",
            "temperature",
            "tool_choice",
            "tools",
            "top_logprobs",
            "top_p",
            "user",
            "verbosity",
            "web_search_options",
        ]
    ),
    "completions": frozenset(
        [
            "best_of",
            "echo",
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "max_tokens",
            "model",
            "n",
            "presence_penalty",
            "prompt",
            "seed",
            "stop",
            "stream",
            "stream_options",
            "suffix",
            "temperature",
            "top_p",
            "user",
        ]
    ),
    "responses": frozenset(
        [
            "background",
            "background_options",
            "context_management",
            "conversation",
            "include",
            "input",
            "instructions",
            "max_output_tokens",
            "max_tool_calls",
            "metadata",
            "model",
            "moderation",
            "parallel_tool_calls",
            "previous_response_id",
            "prompt",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "reasoning",
            "safety_identifier",
            "service_tier",
            "store",
            "stream",
            "stream_options",
            "temperature",
            "text",
            "tool_choice",
            "tools",
            "top_logprobs",
            "top_p",
            "truncation",
            "user",
        ]
    ),
    "messages": frozenset(
        [
            "container",
            "context_management",
            "max_tokens",
            "mcp_servers",
            "messages",
            "metadata",
            "model",
            "output_config",
            "output_format",
            "service_tier",
            "stop_sequences",
            "stream",
            "system",
            "temperature",
            "thinking",
            "tool_choice",
            "tools",
            "top_k",
            "top_p",
        ]
    ),
    "embeddings": frozenset(("dimensions", "encoding_format", "input", "model", "user")),
}
"""The top-level request fields that each endpoint knows."""

REQUIRED: Final[Mapping[str, tuple[tuple[str, type | tuple[type, ...]], ...]]] = {
    "chat.completions": (("messages", list), ("model", str)),
    "completions": (("model", str), ("prompt", (str, list))),
    "responses": (("model", str), ("input", (str, list))),
    "messages": (("model", str), ("messages", list), ("max_tokens", int)),
    "embeddings": (("input", (str, list)), ("model", str)),
}

_ROLES: Final = ("assistant", "developer", "function", "system", "tool", "user")


def parse(raw: bytes) -> dict[str, Any]:
    """The body as an object; raises ApiError in the API's own words when it is none."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        message = (
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
            "library correctly. The API expects a JSON payload, but what was sent was not valid JSON.)"
        )
        raise ApiError(400, message)
    return body


def check(body: dict[str, Any], endpoint: str, *, strict: bool) -> None:
    """Refuse a body that lacks a required field, has one of a wrong type or, when strict, one too many."""
    for name, kinds in REQUIRED[endpoint]:
        if body.get(name) is None:
            raise ApiError(
                400, f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter"
            )
        if not isinstance(body[name], kinds):
            raise _wrong_type(name, body[name], kinds)
    if strict:
        for name in body:
            if name not in FIELDS[endpoint]:
                raise ApiError(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    _check_options(body)
    if "messages" in body:
        _check_messages(body["messages"])


def _check_options(body: dict[str, Any]) -> None:
    tools, options = body.get("tools") or [], body.get("stream_options")
    if not isinstance(tools, list):
        raise _wrong_type("tools", tools, list)
    for number, tool in enumerate(tools):
        if not isinstance(tool, dict):
            raise _wrong_type(f"tools[{number}]", tool, dict)
    if options is not None and not isinstance(options, dict):
        raise _wrong_type("stream_options", options, dict)
    if options is not None and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise ApiError(400, message, param="stream_options")


def _check_messages(messages: list[Any]) -> None:
    if not messages:
        message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        raise ApiError(400, message, param="messages", code="empty_array")
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            raise _wrong_type(f"messages[{number}]", message, dict)
        role = message.get("role")
        if role not in _ROLES:
            known = "', '".join(_ROLES)
            raise ApiError(
                400,
                f"Invalid value: {role!r}. Supported values are: '{known}'.",
                param=f"messages[{number}].role",
                code="invalid_value",
            )


def _wrong_type(name: str, value: Any, kinds: type | tuple[type, ...]) -> ApiError:
    expected = kinds if isinstance(kinds, tuple) else (kinds,)
    words = {list: "an array", str: "a string", int: "an integer", dict: "an object"}
    wanted = " or ".join(words[kind] for kind in expected)
    got = words.get(type(value), f"a {type(value).__name__}")
    return ApiError(
        400,
        f"Invalid type for '{name}': expected {wanted}, but got {got} instead.",
        param=name,
        code="invalid_type",
    )
