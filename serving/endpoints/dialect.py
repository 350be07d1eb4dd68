"""What differs between the paid API and a small model served by vLLM: field sets, error shape, strictness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from serving.endpoints.answer import Usage
from serving.endpoints.errors import ApiError

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

    def tail(self) -> dict[str, Any]:
        """The top-level fields that a whole completion ends with."""
        ...

    def usage(self, usage: Usage) -> dict[str, Any]:
        """Token counts of completions and chat completions."""
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

    def tail(self) -> dict[str, Any]:
        """In a whole completion they come last."""
        return {"service_tier": "default", "system_fingerprint": self.fingerprint}

    def usage(self, usage: Usage) -> dict[str, Any]:
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

    def model(self, requested: str) -> str:
        """The served name is the name."""
        return requested

    def message(self, message: dict[str, Any]) -> dict[str, Any]:
        """vLLM dumps every field of its message type, set or not."""
        extra = {"refusal": None, "annotations": None, "audio": None, "function_call": None}
        return message | extra | {"tool_calls": message.get("tool_calls", []), "reasoning": None}

    def choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        """Adds stop_reason and token_ids."""
        return choice | {"stop_reason": None, "token_ids": None}

    def envelope(self, *, stream: bool) -> dict[str, Any]:
        """Nothing to add."""
        return {}

    def tail(self) -> dict[str, Any]:
        """Fields of the engine, all null."""
        names = (
            "service_tier",
            "system_fingerprint",
            "prompt_logprobs",
            "prompt_token_ids",
            "kv_transfer_params",
        )
        return dict.fromkeys(names)

    def usage(self, usage: Usage) -> dict[str, Any]:
        """Counts without details."""
        return {
            "prompt_tokens": usage.prompt,
            "total_tokens": usage.prompt + usage.completion,
            "completion_tokens": usage.completion,
            "prompt_tokens_details": None,
        }

    def null_usage(self) -> bool:
        """vLLM leaves the field out."""
        return False

    def error(self, error: ApiError) -> dict[str, Any]:
        """The status again as the code."""
        kinds = {400: "BadRequestError", 401: "Unauthorized", 404: "NotFoundError"}
        kind = kinds.get(error.status, "InternalServerError")
        return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.status}}
