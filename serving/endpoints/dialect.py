"""What differs between the paid API and a small model served by vLLM: field sets, error shape, strictness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol

from serving.endpoints.answer import Usage
from serving.endpoints.errors import ApiError
from serving.endpoints.vllm_stream import chat_chunks, text_chunks

_BY_FRAMEWORK: Final = ("missing_required_parameter", "invalid_type")
"""Codes of refusals that vLLM's web framework makes before vLLM sees the body."""

SNAPSHOTS: Mapping[str, str] = {
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
    "gpt-4": "gpt-4-0613",
    "gpt-3.5-turbo": "gpt-3.5-turbo-0125",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
}
"""The dated name that the API answers with, by the name that was asked for."""


class Dialect(Protocol):
    """How one kind of server words its answers."""

    @property
    def name(self) -> str:
        """`openai` or `vllm`."""
        ...

    @property
    def owner(self) -> str:
        """Who owns the models it lists."""
        ...

    @property
    def strict(self) -> bool:
        """Whether unknown request fields are refused."""
        ...

    def model(self, requested: str) -> str:
        """The model name in the answer."""
        ...

    def message(self, message: dict[str, Any]) -> dict[str, Any]:
        """A chat message with the fields that this server always sends."""
        ...

    def choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        """A finished choice, likewise."""
        ...

    def envelope(self, *, stream: bool) -> dict[str, Any]:
        """The top-level fields beside id, object, created, model and choices."""
        ...

    def tail(self, usage: dict[str, Any], *, chat: bool) -> dict[str, Any]:
        """The top-level fields that a whole completion ends with, its usage among them."""
        ...

    def chunks(
        self, choices: Iterable[dict[str, Any]], *, chat: bool, usage_follows: bool
    ) -> Iterator[dict[str, Any]]:
        """The top-level fields of a stream's chunks, from its choices."""
        ...

    def last_chunk(self, usage: dict[str, Any]) -> dict[str, Any]:
        """The top-level fields of the chunk that brings the usage."""
        ...

    def usage(self, usage: Usage, *, stream: bool = False) -> dict[str, Any]:
        """Token counts of completions and chat completions."""
        ...

    @property
    def tells_every_token(self) -> bool:
        """Whether logprobs are told of the tokens of calls, and of the one that ends the turn, too."""
        ...

    def logprobs(self, tokens: list[dict[str, Any]]) -> dict[str, Any]:
        """The `logprobs` of a chat choice with these tokens."""
        ...

    def null_usage(self) -> bool:
        """Whether chunks carry `"usage":null` once usage was asked for."""
        ...

    def error(self, error: ApiError) -> dict[str, Any]:
        """An error body."""
        ...


@dataclass(frozen=True, slots=True)
class OpenAIDialect:
    """The paid API."""

    name: str = "openai"
    owner: str = "system"
    strict: bool = True
    fingerprint: str = "fp_5e1f0d5e0a"

    def model(self, requested: str) -> str:
        """The dated snapshot of a known name."""
        return SNAPSHOTS.get(requested, requested)

    def message(self, message: dict[str, Any]) -> dict[str, Any]:
        """Adds refusal and annotations."""
        return message | {"refusal": None, "annotations": []}

    def choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        """Nothing to add."""
        return choice

    def envelope(self, *, stream: bool) -> dict[str, Any]:
        """In a stream, service tier and fingerprint come before the choices."""
        return {"service_tier": "default", "system_fingerprint": self.fingerprint} if stream else {}

    def tail(self, usage: dict[str, Any], *, chat: bool) -> dict[str, Any]:
        """In a whole completion they come last."""
        return {"usage": usage, "service_tier": "default", "system_fingerprint": self.fingerprint}

    def chunks(
        self, choices: Iterable[dict[str, Any]], *, chat: bool, usage_follows: bool
    ) -> Iterator[dict[str, Any]]:
        """Each choice in a chunk of its own."""
        return ({"choices": [choice]} for choice in choices)

    def last_chunk(self, usage: dict[str, Any]) -> dict[str, Any]:
        """No choices."""
        return {"choices": [], "usage": usage}

    def usage(self, usage: Usage, *, stream: bool = False) -> dict[str, Any]:
        """Counts with their details."""
        return {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "total_tokens": usage.prompt + usage.completion,
            "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    @property
    def tells_every_token(self) -> bool:
        """Of the text's alone."""
        return False

    def logprobs(self, tokens: list[dict[str, Any]]) -> dict[str, Any]:
        """Beside them those of a refusal."""
        return {"content": tokens, "refusal": None}

    def null_usage(self) -> bool:
        """It does."""
        return True

    def error(self, error: ApiError) -> dict[str, Any]:
        """The usual envelope."""
        return error.envelope()


@dataclass(frozen=True, slots=True)
class VllmDialect:
    """A small model behind vLLM's OpenAI-compatible server."""

    name: str = "vllm"
    owner: str = "vllm"
    strict: bool = False
    fingerprint: str = "vllm-0.32.0-simulated"

    def model(self, requested: str) -> str:
        """The served name is the name."""
        return requested

    def message(self, message: dict[str, Any]) -> dict[str, Any]:
        """vLLM dumps every field of its message type, set or not."""
        plain = {"role": message["role"], "content": message["content"] or ""}
        nulls = dict.fromkeys(("refusal", "annotations", "audio", "function_call"))
        calls = {"tool_calls": message["tool_calls"]} if message.get("tool_calls") else {}
        return plain | nulls | calls | {"reasoning": None}

    def choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        """Adds fields of the engine, all null."""
        names = ("stop_reason", "token_ids")
        if "text" in choice:
            named = {name: choice[name] for name in ("index", "text", "logprobs", "finish_reason")}
            return named | dict.fromkeys((*names, "prompt_logprobs", "prompt_token_ids", "routed_experts"))
        return choice | dict.fromkeys((*names, "routed_experts"))

    def envelope(self, *, stream: bool) -> dict[str, Any]:
        """Nothing to add."""
        return {}

    def tail(self, usage: dict[str, Any], *, chat: bool) -> dict[str, Any]:
        """The usage among fields of the engine, which are all null."""
        told = {"service_tier": None, "system_fingerprint": self.fingerprint, "usage": usage}
        prompt = ("prompt_logprobs", "prompt_token_ids", "prompt_text") if chat else ()
        return told | dict.fromkeys((*prompt, "kv_transfer_params", "ec_transfer_params", "metrics"))

    def chunks(
        self, choices: Iterable[dict[str, Any]], *, chat: bool, usage_follows: bool
    ) -> Iterator[dict[str, Any]]:
        """As `vllm_stream` has them."""
        cut = chat_chunks if chat else text_chunks
        return cut(choices, self.fingerprint, usage_follows=usage_follows)

    def last_chunk(self, usage: dict[str, Any]) -> dict[str, Any]:
        """No choices, and the fingerprint."""
        return {"choices": [], "usage": usage, "system_fingerprint": self.fingerprint}

    def usage(self, usage: Usage, *, stream: bool = False) -> dict[str, Any]:
        """Counts; a whole answer has null details beside them."""
        counts = {
            "prompt_tokens": usage.prompt,
            "total_tokens": usage.prompt + usage.completion,
            "completion_tokens": usage.completion,
        }
        details = ("prompt_tokens_details", "completion_tokens_details")
        return counts if stream else counts | dict.fromkeys(details)

    @property
    def tells_every_token(self) -> bool:
        """Of whatever the model said."""
        return True

    def logprobs(self, tokens: list[dict[str, Any]]) -> dict[str, Any]:
        """Nothing beside them."""
        return {"content": tokens}

    def null_usage(self) -> bool:
        """vLLM leaves the field out."""
        return False

    def error(self, error: ApiError) -> dict[str, Any]:
        """The status again as the code. What its framework refuses is worded by that, and a key by its gate."""
        if error.status == 401:
            return {"error": "Unauthorized"}
        if error.status in (404, 405) and error.param is None:
            return {"detail": HTTPStatus(error.status).phrase}
        unreadable = error.code is None and error.param is None
        if error.status == 400 and (unreadable or error.code in _BY_FRAMEWORK):
            told = {"type": HTTPStatus(400).phrase, "param": f"body.{error.param or 0}"}
            return {"error": {"message": f"1 validation error:\n  {error.message}"} | told | {"code": 400}}
        kind = {400: "BadRequestError", 404: "NotFoundError"}.get(error.status, "InternalServerError")
        return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.status}}
