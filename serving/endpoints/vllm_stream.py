"""How vLLM cuts its streams into chunks: checked against a running server by `tests/serving/vllm/test_dialect.py`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

Fields = dict[str, Any]

_NULLS: Final[Fields] = {"prompt_token_ids": None, "prompt_text": None}


def chat_chunks(choices: Iterable[Fields], fingerprint: str, *, usage_follows: bool) -> Iterator[Fields]:
    """The top-level fields that each chunk of a chat completion has of its choice, from plain ones."""
    merged = _finished_with_text(choices, _without_delta)
    for choice, last in _with_last(merged):
        if "role" in choice["delta"]:
            opening = {**choice, "delta": {"role": "assistant", "content": ""}}
            yield {"choices": [opening]} | _NULLS
            continue
        yield {"choices": [_chat_choice(choice)]} | _ending(fingerprint, ends=last and not usage_follows)


def text_chunks(choices: Iterable[Fields], fingerprint: str, *, usage_follows: bool) -> Iterator[Fields]:
    """The same of a completion."""
    for choice, last in _with_last(_finished_with_text(choices, _without_text)):
        nulls = dict.fromkeys(("stop_reason", "prompt_token_ids", "token_ids"))
        ordered = {name: choice[name] for name in ("index", "text", "logprobs", "finish_reason")}
        yield {"choices": [ordered | nulls]} | _ending(fingerprint, ends=last and not usage_follows)


def _chat_choice(choice: Fields) -> Fields:
    delta = choice["delta"]
    if "tool_calls" in delta:
        delta = {"content": None, "tool_calls": [_call(call) for call in delta["tool_calls"]]}
    stop = {"stop_reason": None} if choice["finish_reason"] else {}
    return {**choice, "delta": delta} | stop | {"token_ids": None}


def _call(call: Fields) -> Fields:
    """A call's first chunk names it, with no arguments yet; the others hold nothing but their piece of them."""
    function = call["function"]
    if "id" not in call:
        return {"index": call["index"], "function": function}
    named = {"id": call["id"], "type": "function", "index": call["index"]}
    return named | {"function": {"name": function["name"]}}


def _finished_with_text(choices: Iterable[Fields], empty: Any) -> Iterator[Fields]:
    """The last piece of a text that its limit cut says so, where a plain stream has a chunk of its own for that. What ends
    by itself has such a chunk here too: it is that of the token which ends the turn."""
    held: Fields | None = None
    for choice in choices:
        if (
            held is not None
            and choice["finish_reason"] == "length"
            and empty(choice)
            and _is_text(held, choice)
        ):
            yield {**held, "finish_reason": choice["finish_reason"]}
            held = None
            continue
        if held is not None:
            yield held
        held = choice
    if held is not None:
        yield held


def _is_text(held: Fields, choice: Fields) -> bool:
    text = held.get("text") or held.get("delta", {}).get("content")
    return bool(text) and held["index"] == choice["index"]


def _without_delta(choice: Fields) -> bool:
    return not choice["delta"]


def _without_text(choice: Fields) -> bool:
    return not choice["text"]


def _with_last(choices: Iterable[Fields]) -> Iterator[tuple[Fields, bool]]:
    held: Fields | None = None
    for choice in choices:
        if held is not None:
            yield held, False
        held = choice
    if held is not None:
        yield held, True


def _ending(fingerprint: str, *, ends: bool) -> Fields:
    return {"system_fingerprint": fingerprint} if ends else {}
