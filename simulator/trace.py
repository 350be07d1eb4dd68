"""Trace mode: recorded requests are answered with their recorded responses.

A trace is one JSON object a line (`.jsonl`, or `.jsonl.xz`) with `request` (a chat completions body), `response` (the
assistant message), and optionally `usage` and `meta.finish_reason`. A request is found by everything in its body but
`stream` and `stream_options`. Where one was recorded several times with different responses, the first answers, so
that asking twice gives the same bytes; the header `x-trace-index: N` asks for the N-th (from 0, cyclically).
"""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from serving.endpoints.answer import Answer, ToolCall, Usage
from serving.endpoints.base import digest
from serving.endpoints.errors import ApiError
from serving.endpoints.prompt import Prompt


class BadTrace(Exception):
    """A trace file that cannot be used; names the line."""


class TraceBrain:
    """Answers from recordings."""

    def __init__(self, answers: Mapping[str, list[Answer]]) -> None:
        self._answers = answers

    @classmethod
    def read(cls, path: Path) -> TraceBrain:
        """Read a trace file; raises BadTrace naming the line, and OSError when it cannot be opened."""
        if not path.name.endswith((".jsonl", ".jsonl.xz")):
            raise BadTrace(f"{path.name!r} is neither .jsonl nor .jsonl.xz")
        with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as lines:
            try:
                return cls.of(lines, path.name)
            except lzma.LZMAError as error:
                raise BadTrace(f"{path.name!r} is no xz file: {error}") from error

    @classmethod
    def of(cls, lines: Iterable[bytes], name: str = "trace") -> TraceBrain:
        """Build from the lines of a trace."""
        answers: dict[str, list[Answer]] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
                answers.setdefault(digest(row["request"]), []).append(_answer(row))
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
                message = f"{name!r} line {number} is no recorded call ({type(error).__name__}: {error}); "
                raise BadTrace(message + "a JSON object with request and response is wanted") from error
        return cls(answers)

    def __len__(self) -> int:
        """How many different requests are known."""
        return len(self._answers)

    def answer(self, prompt: Prompt, index: int = 0) -> Answer:
        """The recorded answer; raises ApiError (404) for a request that was never recorded."""
        recorded = self._answers.get(prompt.digest)
        if recorded is None:
            message = "This simulator replays a trace, and this request is not in it (stream and stream_options aside)."
            raise ApiError(404, message, code="not_in_trace")
        return recorded[(prompt.choice + index) % len(recorded)]


def _answer(row: Mapping[str, Any]) -> Answer:
    message, usage = row["response"], row.get("usage") or {}
    calls = tuple(
        ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls") or ()
    )
    finish = (row.get("meta") or {}).get("finish_reason") or ("tool_calls" if calls else "stop")
    counted = "prompt_tokens" in usage and "completion_tokens" in usage
    tokens = Usage(usage["prompt_tokens"], usage["completion_tokens"]) if counted else None
    return Answer(message["content"], calls, finish, tokens)
