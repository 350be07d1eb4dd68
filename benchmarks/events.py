"""Streams that can be foretold: from a seed, the exact SSE bytes of a chat completion, and how they are cut into writes.

Both ends compute them, so that the client knows every byte that the upstream sent without having been told.
"""

from __future__ import annotations

import json
import random
from typing import Any, Final

_WORDS: Final = [
    "tea",
    "leaf",
    "parcel",
    "Saturday",
    "23.80",
    "naïve",
    "façade",
    "紅茶",
    "дом",
    "🫖",
    "refund",
    "express",
    "tin",
    "Darjeeling",
]
_USAGE: Final = {"prompt_tokens": 447, "completion_tokens": 40, "total_tokens": 487}


def events(seed: int, *, count: int, usage: bool) -> list[bytes]:
    """The events of one stream; with `usage`, as OpenAI sends them when `include_usage` was asked for."""
    chosen = random.Random(seed)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": " ".join(chosen.choices(_WORDS, k=3)) + " "} for _ in range(count - 2)]
    chunks = [_chunk(seed, [_choice(delta, None)], usage=usage) for delta in deltas]
    chunks.append(_chunk(seed, [_choice({}, "stop")], usage=usage))
    if usage:
        chunks.append({**_chunk(seed, [], usage=True), "usage": _USAGE})
    return [*(_event(chunk) for chunk in chunks), b"data: [DONE]\n\n"]


def cut(data: bytes, seed: int) -> list[bytes]:
    """The same bytes in one to three pieces, anywhere: inside a line, a number or a UTF-8 sequence."""
    chosen = random.Random(seed)
    places = sorted(chosen.randrange(1, len(data)) for _ in range(chosen.randrange(3)))
    return [
        data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True) if start < end
    ]


def _chunk(seed: int, choices: list[dict[str, Any]], *, usage: bool) -> dict[str, Any]:
    chunk: dict[str, Any] = {
        "id": f"chatcmpl-{seed:08d}",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_benchmark",
        "choices": choices,
    }
    return {**chunk, "usage": None} if usage else chunk


def _choice(delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
