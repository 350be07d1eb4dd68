"""The hard rules: calls that no understudy can answer, found before any is considered.

A reason completes the sentence "it goes upstream because …". State is pinned where the agent asks for it in so many
words: the Responses API stores by default, and taking that default for a wish would pin every call of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from router.decision import Endpoint
from router.read import Reading
from router.rule import Slm
from wire import shape
from wire.tolerant import mapping, mappings, text

Limit = Callable[[Reading], str]

_STATE: Final = ("previous_response_id", "conversation", "background", "prompt", "container")
"""Parameters of Responses and Messages that name something the provider keeps."""

UNSUPPORTED: Final[Mapping[Endpoint, tuple[str, ...]]] = {
    "chat.completions": (
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "functions",
        "web_search_options",
        "audio",
    ),
    "completions": ("logit_bias", "suffix", "echo"),
    "responses": ("top_logprobs", "include"),
    "messages": ("mcp_servers",),
}
"""Parameters whose effect depends on the provider or on its tokenizer, or that local engines lack."""

_PLAIN_TOOLS: Final[Mapping[Endpoint, tuple[object, ...]]] = {
    "chat.completions": ("function", None),
    "responses": ("function", None),
    "messages": ("custom", None),
}
"""Types of the tools that the agent runs itself; every other is hosted by the provider or needs its grammar."""


_PARAMETERS: Final = frozenset(
    (*_STATE, "store", "n", "best_of", "logprobs", "thinking", *chain(*UNSUPPORTED.values()))
)
"""The parameters that a limit looks at, tools apart; most calls have none of them, and need not be asked one by one."""


def call_limit(reading: Reading) -> str:
    """Why no understudy can answer this call; empty when one could."""
    if reading.endpoint == "other":
        return "no small model answers this endpoint"
    limits = _CONTENT_LIMITS if _PARAMETERS.isdisjoint(reading.body) else _ALL_LIMITS
    for limit in limits:
        if reason := limit(reading):
            return reason
    return ""


def slm_limit(reading: Reading, slm: Slm) -> str:
    """Why this small model cannot answer this call; empty when it can."""
    if reading.images and not slm.images:
        return "the call holds images"
    if slm.context is not None and reading.tokens + _answer_tokens(reading) > slm.context:
        return "the call is longer than the model's context"
    return ""


def _answer_tokens(reading: Reading) -> int:
    """Tokens reserved for the answer, as far as the agent set a limit."""
    for name in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        value = reading.body.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return 0


def _state(reading: Reading) -> str:
    if reading.endpoint in ("responses", "messages"):
        for name in _STATE:
            if _asked(reading.body.get(name)):
                return f"{name} names state that the provider keeps"
    if reading.body.get("store") is True and reading.endpoint in ("responses", "chat.completions"):
        return "store asks the provider to keep the call"
    return ""


def _alternatives(reading: Reading) -> str:
    for name in ("n", "best_of"):
        value = reading.body.get(name)
        if value is not None and value != 1:
            return f"{name} asks for several answers"
    return ""


def _parameters(reading: Reading) -> str:
    for name in UNSUPPORTED.get(reading.endpoint, ()):
        if _asked(reading.body.get(name)):
            return f"{name} is not supported by small models"
    if reading.endpoint == "completions" and reading.body.get("logprobs") is not None:
        return "logprobs is not supported by small models"  # 0 asks for them too, unlike in chat completions
    if reading.endpoint == "messages" and mapping(reading.body.get("thinking")).get("type") not in (
        None,
        "disabled",
    ):
        return "thinking is not supported by small models"
    return ""


def _tools(reading: Reading) -> str:
    tools = reading.body.get("tools")
    plain = _PLAIN_TOOLS.get(reading.endpoint)
    if not tools or plain is None:
        return ""
    for tool in mappings(tools):
        if tool.get("type") not in plain:
            return "it offers tools that the provider runs"
    return ""


def _prompt(reading: Reading) -> str:
    if reading.endpoint != "completions":
        return ""
    prompt = reading.body.get("prompt")
    if isinstance(prompt, list) and (len(prompt) != 1 or not isinstance(prompt[0], str)):
        return "its prompt is a batch or is given as token numbers"
    return ""


def _media(reading: Reading) -> str:
    if not (reading.has_parts or "modalities" in reading.body):
        return ""
    if shape.has_audio(reading.endpoint, reading.body):
        return "the call holds audio"
    if shape.has_files(reading.endpoint, reading.body):
        return "the call holds files"
    return ""


def _items(reading: Reading) -> str:
    """Items of the Responses endpoint that only the provider can read."""
    if reading.endpoint == "responses" and any(kind not in _OPEN_ITEMS for kind in _item_kinds(reading.body)):
        return "its input refers to items that the provider keeps"
    return ""


_OPEN_ITEMS: Final = ("", "message", "function_call", "function_call_output")


def _item_kinds(body: Mapping[str, Any]) -> Iterator[str]:
    return (text(item.get("type")) for item in mappings(body.get("input")))


def _asked(value: object) -> bool:
    """Whether a parameter is set to something: null, false, zero and empty values ask for nothing."""
    return bool(value)


_CONTENT_LIMITS: Final[tuple[Limit, ...]] = (_tools, _prompt, _items, _media)
_ALL_LIMITS: Final[tuple[Limit, ...]] = (_state, _alternatives, _parameters, *_CONTENT_LIMITS)
