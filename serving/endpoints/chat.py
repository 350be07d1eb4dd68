"""POST /v1/chat/completions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from serving.endpoints import tokens
from serving.endpoints.answer import Answer, ToolCall
from serving.endpoints.base import Body, Reply, data, digest, number, stops
from serving.endpoints.dialect import Dialect
from serving.endpoints.errors import ApiError
from serving.endpoints.prompt import Prompt

_CALL_BEGINS: Final = "<tool_call>"
_CALL_ENDS: Final = "</tool_call>"
_TURN_ENDS: Final = "<|im_end|>"
"""Tokens that no answer shows."""


class ChatCompletions:
    """Chat completions, whole and streamed, in the dialect of the reply."""

    name = "chat.completions"

    def prompt(self, body: Body, choice: int = 0) -> Prompt:
        """Nearly the body itself."""
        schema, json_mode = _format(body.get("response_format"))
        return Prompt(
            body=body,
            model=body["model"],
            messages=tuple(body["messages"]),
            tools=tuple(tool["function"] for tool in body.get("tools") or () if "function" in tool),
            tool_choice=body.get("tool_choice"),
            schema=schema,
            json_mode=json_mode,
            temperature=body.get("temperature"),
            seed=number(body.get("seed")),
            max_tokens=number(body.get("max_completion_tokens") or body.get("max_tokens")),
            stop=stops(body.get("stop")),
            digest=digest(body),
            choice=choice,
        )

    def count(self, body: Body) -> int:
        """The `n` of the request."""
        return number(body.get("n")) or 1

    def whole(self, reply: Reply) -> dict[str, Any]:
        """A `chat.completion`."""
        dialect = reply.dialect
        choices = [
            dialect.choice(
                {
                    "index": index,
                    "message": dialect.message(_message(answer)),
                    "logprobs": _logprobs(reply, _tokens(answer, reply.dialect)),
                    "finish_reason": answer.finish_reason,
                }
            )
            for index, answer in enumerate(reply.answers)
        ]
        head = {"id": reply.id("chatcmpl-"), "object": "chat.completion", "created": reply.created}
        body = head | {"model": reply.model, "choices": choices}
        return body | dialect.tail(dialect.usage(reply.usage), chat=True)

    def events(self, reply: Reply) -> Iterator[bytes]:
        """`chat.completion.chunk`s: role, content or call fragments, finish, usage if asked for, `[DONE]`."""
        options = reply.prompt.body.get("stream_options") or {}
        asked = bool(options.get("include_usage"))
        head = {"id": reply.id("chatcmpl-"), "object": "chat.completion.chunk", "created": reply.created}
        head |= {"model": reply.model} | reply.dialect.envelope(stream=True)
        null_usage = {"usage": None} if asked and reply.dialect.null_usage() else {}
        fields = reply.dialect.chunks(_choices(reply), chat=True, usage_follows=asked)
        for serial, each in enumerate(fields):
            chunk = head | each | null_usage
            if reply.obfuscate and options.get("include_obfuscation", True):
                chunk["obfuscation"] = tokens.identifier(
                    f"{reply.prompt.digest}/{serial}", 1 + serial * 7 % 11
                )
            yield data(chunk)
        if asked:
            usage = reply.dialect.usage(reply.usage, stream=True)
            yield data(head | reply.dialect.last_chunk(usage))
        yield b"data: [DONE]\n\n"


def _choices(reply: Reply) -> Iterator[dict[str, Any]]:
    every = reply.dialect.tells_every_token
    for index, answer in enumerate(reply.answers):
        yield _choice(index, _opening(answer, reply))
        for piece in tokens.pieces(answer.content or ""):
            yield _choice(index, {"content": piece}, _logprobs(reply, [piece]))
        for position, call in enumerate(answer.tool_calls):
            yield from _called(index, position, call, reply if every else None)
        ending = _logprobs(reply, _ending(answer)) if every else None
        yield _choice(index, {}, ending, finish=answer.finish_reason)


def _called(index: int, position: int, call: ToolCall, told: Reply | None) -> Iterator[dict[str, Any]]:
    """A call in fragments; with `told` its tokens have their logprobs, those around it in chunks of their own."""

    def logprobs(*pieces: str) -> dict[str, Any] | None:
        return None if told is None else _logprobs(told, list(pieces))

    if (opening := logprobs(_CALL_BEGINS)) is not None:
        yield _choice(index, {}, opening)
    first = {"name": call.name, "arguments": ""}
    named = {"index": position, "id": call.id, "type": "function", "function": first}
    yield _choice(index, {"tool_calls": [named]}, logprobs(call.name))
    for fragment in tokens.fragments(call.arguments, call.id):
        more = {"index": position, "function": {"arguments": fragment}}
        yield _choice(index, {"tool_calls": [more]}, logprobs(fragment))
    if (closing := logprobs(_CALL_ENDS)) is not None:
        yield _choice(index, {}, closing)


def _tokens(answer: Answer, dialect: Dialect) -> list[str]:
    """What was said, in the tokens whose logprobs this server tells."""
    said = tokens.pieces(answer.content or "")
    if not dialect.tells_every_token:
        return said
    for call in answer.tool_calls:
        said += [_CALL_BEGINS, call.name, *tokens.fragments(call.arguments, call.id), _CALL_ENDS]
    return said + _ending(answer)


def _ending(answer: Answer) -> list[str]:
    return [] if answer.finish_reason == "length" else [_TURN_ENDS]


def _choice(
    index: int, delta: dict[str, Any], logprobs: dict[str, Any] | None = None, finish: str | None = None
) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}


def _opening(answer: Answer, reply: Reply) -> dict[str, Any]:
    content = None if answer.content is None else ""
    opening = {"role": "assistant", "content": content}
    return opening | {"refusal": None} if reply.dialect.name == "openai" else opening


def _message(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.content}
    if answer.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.tool_calls
        ]
    return message


def _logprobs(reply: Reply, pieces: list[str]) -> dict[str, Any] | None:
    if not reply.prompt.body.get("logprobs"):
        return None
    content = [
        {"token": piece, "logprob": reply.logprob, "bytes": list(piece.encode()), "top_logprobs": []}
        for piece in pieces
    ]
    return reply.dialect.logprobs(content)


def _format(value: Any) -> tuple[dict[str, Any] | None, bool]:
    if not isinstance(value, dict):
        return None, False
    if value.get("type") != "json_schema":
        return None, value.get("type") == "json_object"
    schema = (value.get("json_schema") or {}).get("schema")
    if not isinstance(schema, dict):
        name = "response_format.json_schema.schema"
        raise ApiError(
            400, f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter"
        )
    return schema, True
