"""The demo agent: works support tickets with the official OpenAI SDK, through whatever `base_url` it is given.

Each ticket takes six kinds of call, some streamed and some not, each with its own system prompt. The SDK is imported
here and nowhere else in the project's packages (extra `dev`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from simulator.desk.prompts import ORDER_SCHEMA, SYSTEM, TOOLS, Kind


@dataclass(frozen=True, slots=True)
class Worked:
    """What the agent did with a ticket."""

    label: str
    urgent: bool
    fields: dict[str, Any]
    tool: str
    """The tool that was called; empty when the customer was asked something instead."""
    arguments: dict[str, Any]
    outcome: str
    reply: str
    plan: str
    calls: int
    """How many requests it took."""


class SupportDeskAgent:
    """Works tickets one call at a time. `plan` may be left out, since it is long."""

    def __init__(self, client: OpenAI, *, model: str = "gpt-4o-mini", planning: bool = True) -> None:
        self._client = client
        self._model = model
        self._planning = planning

    def work(self, ticket: str) -> Worked:
        """Take a ticket through every kind of call."""
        label = self._ask("classify", ticket)
        urgent = self._ask("urgency", ticket).lower().startswith("yes")
        fields = json.loads(self._ask("extract", ticket, response_format=_format()))
        tool, arguments, outcome, extra = self._act(ticket)
        reply = self._stream("reply", f"Label: {label}\nTicket:\n{ticket}")
        plan = self._stream("plan", ticket) if self._planning else ""
        calls = 5 + extra + self._planning
        return Worked(label, urgent, fields, tool, arguments, outcome, reply, plan, calls)

    def _ask(self, kind: Kind, text: str, **options: Any) -> str:
        completion = self._client.chat.completions.create(
            model=self._model, messages=_messages(kind, text), temperature=0, **options
        )
        return (completion.choices[0].message.content or "").strip()

    def _stream(self, kind: Kind, text: str) -> str:
        stream = self._client.chat.completions.create(
            model=self._model, messages=_messages(kind, text), temperature=0.7, stream=True
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)

    def _act(self, ticket: str) -> tuple[str, dict[str, Any], str, int]:
        """The tool loop; returns tool, arguments, closing sentence and how many calls followed the first."""
        messages: list[Any] = _messages("act", ticket)
        with self._client.chat.completions.stream(
            model=self._model, messages=messages, tools=cast("Any", TOOLS), temperature=0
        ) as stream:
            message = stream.get_final_completion().choices[0].message
        if not message.tool_calls:
            return "", {}, message.content or "", 0
        call = message.tool_calls[0]
        arguments = json.loads(call.function.arguments)
        messages += _results(message.tool_calls, call.function.name)
        closing = self._client.chat.completions.create(
            model=self._model, messages=messages, tools=cast("Any", TOOLS), temperature=0
        )
        return call.function.name, arguments, closing.choices[0].message.content or "", 1


class AsyncSupportDeskAgent:
    """The same agent for an asynchronous client."""

    def __init__(self, client: AsyncOpenAI, *, model: str = "gpt-4o-mini", planning: bool = True) -> None:
        self._client = client
        self._model = model
        self._planning = planning

    async def work(self, ticket: str) -> Worked:
        """Take a ticket through every kind of call."""
        label = await self._ask("classify", ticket)
        urgent = (await self._ask("urgency", ticket)).lower().startswith("yes")
        fields = json.loads(await self._ask("extract", ticket, response_format=_format()))
        tool, arguments, outcome, extra = await self._act(ticket)
        reply = await self._stream("reply", f"Label: {label}\nTicket:\n{ticket}")
        plan = await self._stream("plan", ticket) if self._planning else ""
        calls = 5 + extra + self._planning
        return Worked(label, urgent, fields, tool, arguments, outcome, reply, plan, calls)

    async def _ask(self, kind: Kind, text: str, **options: Any) -> str:
        completion = await self._client.chat.completions.create(
            model=self._model, messages=_messages(kind, text), temperature=0, **options
        )
        return (completion.choices[0].message.content or "").strip()

    async def _stream(self, kind: Kind, text: str) -> str:
        stream = await self._client.chat.completions.create(
            model=self._model, messages=_messages(kind, text), temperature=0.7, stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    async def _act(self, ticket: str) -> tuple[str, dict[str, Any], str, int]:
        messages: list[Any] = _messages("act", ticket)
        async with self._client.chat.completions.stream(
            model=self._model, messages=messages, tools=cast("Any", TOOLS), temperature=0
        ) as stream:
            message = (await stream.get_final_completion()).choices[0].message
        if not message.tool_calls:
            return "", {}, message.content or "", 0
        call = message.tool_calls[0]
        arguments = json.loads(call.function.arguments)
        messages += _results(message.tool_calls, call.function.name)
        closing = await self._client.chat.completions.create(
            model=self._model, messages=messages, tools=cast("Any", TOOLS), temperature=0
        )
        return call.function.name, arguments, closing.choices[0].message.content or "", 1


def _messages(kind: Kind, text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "system", "content": SYSTEM[kind]}, {"role": "user", "content": text}]


def _format() -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "order", "strict": True, "schema": ORDER_SCHEMA}}


def _results(calls: Sequence[Any], name: str) -> list[dict[str, Any]]:
    """The assistant's message with its calls, and the made-up shop's answer to each."""
    spoken = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.function.name, "arguments": call.function.arguments},
        }
        for call in calls
    ]
    answers = [
        {"role": "tool", "tool_call_id": call.id, "content": json.dumps({"ok": True, "tool": name})}
        for call in calls
    ]
    return [{"role": "assistant", "content": None, "tool_calls": spoken}, *answers]
