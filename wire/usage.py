"""Token counts in disjoint buckets, so that a price times a bucket never counts a token twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from wire.answer import answer_of
from wire.shape import Endpoint
from wire.tolerant import count, mapping

_BYTES_PER_TOKEN: Final = 4
_DEEPEST: Final = 64


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. The three input buckets are disjoint and sum to the prompt; reasoning is part of output."""

    input: int = 0
    """Prompt tokens at the full price: neither read from nor written to a cache."""
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Every token once."""
        return self.input + self.cached_input + self.cache_write + self.output


class _Unreadable(Exception):
    """A count has the wrong type or sign, so none of them can be trusted."""


def read_usage(endpoint: Endpoint, body: Mapping[str, Any]) -> Usage | None:
    """The usage that a response body states; None when it states none, or one that cannot be true."""
    stated = mapping(body.get("usage"))
    if not stated:
        return None
    try:
        match endpoint:
            case "messages":
                return _read_messages(stated)
            case "responses":
                return _read_openai(stated, "input_tokens", "output_tokens")
            case _:
                return _read_openai(stated, "prompt_tokens", "completion_tokens")
    except _Unreadable:
        return None


def _read_openai(stated: Mapping[str, Any], prompt: str, output: str) -> Usage | None:
    if stated.get(prompt) is None and stated.get(output) is None:
        return None
    whole = _number(stated, prompt)
    details = mapping(stated.get(f"{prompt}_details"))
    cached = _number(details, "cached_tokens") or _number(
        stated, "prompt_cache_hit_tokens"
    )  # the latter: DeepSeek
    if cached > whole:
        return None
    written = min(
        _number(details, "cache_write_tokens"), whole - cached
    )  # stated unadjusted, so it may overlap
    reasoning = _number(mapping(stated.get(f"{output}_details")), "reasoning_tokens")
    return Usage(whole - cached - written, cached, written, _number(stated, output), reasoning)


def _read_messages(stated: Mapping[str, Any]) -> Usage | None:
    if stated.get("input_tokens") is None and stated.get("output_tokens") is None:
        return None
    return Usage(
        input=_number(stated, "input_tokens"),
        cached_input=_number(stated, "cache_read_input_tokens"),
        cache_write=_number(stated, "cache_creation_input_tokens"),
        output=_number(stated, "output_tokens"),
        reasoning=_number(mapping(stated.get("output_tokens_details")), "thinking_tokens"),
    )


def _number(stated: Mapping[str, Any], name: str) -> int:
    """A count that may be left out or null."""
    value = stated.get(name)
    if value is None:
        return 0
    number = count(value)
    if number is None:
        raise _Unreadable
    return number


def estimate(endpoint: Endpoint, request: Mapping[str, Any], response: Mapping[str, Any]) -> Usage:
    """A guess for an answer without usage: four bytes of text to a token. Never to be recorded as measured."""
    answer = answer_of(endpoint, response)
    said = [answer.text, answer.refusal, *(call.name + call.arguments for call in answer.tool_calls)]
    return Usage(
        input=_tokens(_text_bytes(request, 0)), output=_tokens(sum(_text_bytes(text, 0) for text in said))
    )


def _tokens(size: int) -> int:
    return -(-size // _BYTES_PER_TOKEN)


def _text_bytes(value: object, depth: int) -> int:
    """Bytes of the strings in a body; images and audio, which are given as data, are left out."""
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value.encode("utf-8", "replace"))
    if depth > _DEEPEST:
        return 0
    if isinstance(value, Mapping):
        return sum(_text_bytes(item, depth + 1) for key, item in value.items() if key != "data")
    if isinstance(value, list):
        return sum(_text_bytes(item, depth + 1) for item in value)
    return 0
