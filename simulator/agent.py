"""The demo agent: works support tickets with the official OpenAI SDK, through whatever `base_url` it is given.

Each ticket takes seven kinds of call, some streamed and some not, each with its own system prompt. The SDK is imported
here and nowhere else in the project's packages (extra `dev`).
"""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from openai import AsyncOpenAI, OpenAI

from simulator.desk.prompts import ORDER_SCHEMA, SYSTEM, TOOLS, Kind


@dataclass(frozen=True, slots=True)
class Worked:
    """What the agent did with a ticket."""

    label: str
    urgent: bool
    queue: str
    """The team that the ticket was routed to."""
    fields: dict[str, Any]
    tool: str
    """The tool that was called; empty when the customer was asked something instead."""
    arguments: dict[str, Any]
    outcome: str
    """The model's sentence after the tool had answered, or its question to the customer."""
    reply: str
    plan: str
    calls: int
    """How many requests it took."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One request that the agent wants sent, and how."""

    how: Literal["whole", "streamed", "accumulated"]
    messages: list[dict[str, Any]]
    temperature: float = 0.0
    options: tuple[tuple[str, Any], ...] = ()

    def arguments(self, model: str) -> dict[str, Any]:
        sent = {"model": model, "messages": self.messages, "temperature": self.temperature} | dict(
            self.options
        )
        return sent | {"stream": True} if self.how == "streamed" else sent


@dataclass(frozen=True, slots=True)
class _Said:
    """What came back."""

    text: str
    tool_calls: Sequence[Any] = ()


_Script = Generator[_Step, _Said, Worked]


class SupportDeskAgent:
    """Works tickets with a synchronous client; `planning` may be left out, since plans are long."""

    def __init__(self, client: OpenAI, *, model: str = "gpt-4o-mini", planning: bool = True) -> None:
        self._completions: Any = client.chat.completions
        self._model = model
        self._planning = planning

    def work(self, ticket: str) -> Worked:
        """Take a ticket through every kind of call; raises the SDK's errors."""
        script = _script(ticket, planning=self._planning)
        step = next(script)
        while True:
            try:
                step = script.send(self._send(step))
            except StopIteration as finished:
                return _worked(finished)

    def _send(self, step: _Step) -> _Said:
        arguments = step.arguments(self._model)
        if step.how == "streamed":
            chunks = self._completions.create(**arguments)
            return _Said("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices))
        if step.how == "accumulated":
            with self._completions.stream(**arguments) as stream:
                return _said(stream.get_final_completion())
        return _said(self._completions.create(**arguments))


class AsyncSupportDeskAgent:
    """The same agent for an asynchronous client."""

    def __init__(self, client: AsyncOpenAI, *, model: str = "gpt-4o-mini", planning: bool = True) -> None:
        self._completions: Any = client.chat.completions
        self._model = model
        self._planning = planning

    async def work(self, ticket: str) -> Worked:
        """Take a ticket through every kind of call; raises the SDK's errors."""
        script = _script(ticket, planning=self._planning)
        step = next(script)
        while True:
            said = await self._send(step)
            try:
                step = script.send(said)
            except StopIteration as finished:
                return _worked(finished)

    async def _send(self, step: _Step) -> _Said:
        arguments = step.arguments(self._model)
        if step.how == "streamed":
            chunks = await self._completions.create(**arguments)
            return _Said(
                "".join([chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices])
            )
        if step.how == "accumulated":
            async with self._completions.stream(**arguments) as stream:
                return _said(await stream.get_final_completion())
        return _said(await self._completions.create(**arguments))


def _script(ticket: str, *, planning: bool) -> _Script:
    """The agent's work without its I/O: yields requests, is sent what was said."""
    schema = {"name": "order", "strict": True, "schema": ORDER_SCHEMA}
    as_order = ("response_format", {"type": "json_schema", "json_schema": schema})
    label = (yield _Step("whole", _messages("classify", ticket))).text.strip()
    urgent = (yield _Step("whole", _messages("urgency", ticket))).text.strip().lower().startswith("yes")
    queue = (yield _Step("whole", _messages("queue", ticket))).text.strip()
    fields = json.loads((yield _Step("whole", _messages("extract", ticket), options=(as_order,))).text)

    messages = _messages("act", ticket)
    tools = ("tools", list(TOOLS))
    acted = yield _Step("accumulated", messages, options=(tools,))
    tool, arguments, outcome = "", {}, acted.text
    if acted.tool_calls:
        function = acted.tool_calls[0].function
        tool, arguments = function.name, json.loads(function.arguments)
        outcome = (yield _Step("whole", messages + _results(acted.tool_calls), options=(tools,))).text

    labelled = f"Label: {label}\nTicket:\n{ticket}"
    reply = (yield _Step("streamed", _messages("reply", labelled), temperature=0.7)).text
    plan = (yield _Step("whole", _messages("plan", ticket), temperature=0.7)).text if planning else ""
    calls = 6 + planning + bool(tool)
    return Worked(label, urgent, queue, fields, tool, arguments, outcome, reply, plan, calls)


def _worked(finished: StopIteration) -> Worked:
    worked: Worked = finished.value
    return worked


def _said(completion: Any) -> _Said:
    message = completion.choices[0].message
    return _Said(message.content or "", message.tool_calls or ())


def _messages(kind: Kind, text: str) -> list[dict[str, Any]]:
    return [{"role": "system", "content": SYSTEM[kind]}, {"role": "user", "content": text}]


def _results(calls: Sequence[Any]) -> list[dict[str, Any]]:
    """The assistant's message with its calls, and the made-up shop's answer to each."""
    spoken = [
        {
            "id": call.id,
            "type": "function",
            "function": call.function.model_dump(include={"name", "arguments"}),
        }
        for call in calls
    ]
    answers = [
        {
            "role": "tool",
            "tool_call_id": call.id,
            "content": json.dumps({"ok": True, "tool": call.function.name}),
        }
        for call in calls
    ]
    return [{"role": "assistant", "content": None, "tool_calls": spoken}, *answers]
