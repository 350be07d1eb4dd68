"""A base model of a few thousand weights, and calls of the support desk to tune it to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from conversion.example import Example
from conversion.task import Task, TaskData
from router.gate.scorers.by_kind import Kind
from simulator.desk.actions import action, question
from simulator.desk.prompts import ORDER_SCHEMA, SYSTEM, TOOLS
from simulator.desk.reading import Reading
from simulator.tickets import tickets
from tests.tiny_base import tiny_base
from wire.answer import Answer, ToolCall


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    return tiny_base(tmp_path_factory.mktemp("base"), steps=2, batch=4)


def extractions(count: int) -> Sequence[Example]:
    """Calls that ask for the fields of an order."""
    schema = {"name": "order", "strict": True, "schema": ORDER_SCHEMA}
    return [
        _example(
            number,
            "extract",
            ticket.text,
            Answer(orjson.dumps(ticket.fields()).decode(), finish_reason="stop"),
            response_format={"type": "json_schema", "json_schema": schema},
        )
        for number, ticket in enumerate(tickets(count, seed=5))
    ]


def actions(count: int) -> Sequence[Example]:
    """Calls that ask for a tool."""
    found = []
    for number, ticket in enumerate(tickets(count, seed=6)):
        reading = Reading(ticket.text)
        chosen = action(reading)
        answer = Answer(question(reading), finish_reason="stop")
        if chosen is not None:
            answer = Answer(
                tool_calls=(ToolCall(chosen[0], orjson.dumps(chosen[1]).decode()),),
                finish_reason="tool_calls",
            )
        found.append(_example(number, "act", ticket.text, answer, tools=list(TOOLS)))
    return found


def _example(number: int, kind: Any, text: str, answer: Answer, **options: Any) -> Example:
    messages = [{"role": "system", "content": SYSTEM[kind]}, {"role": "user", "content": text}]
    request = {"model": "gpt-4o-mini", "messages": messages, "temperature": 0.0, "max_tokens": 24} | options
    return Example(f"{kind}-{number}", f"session-{number}", number, "chat.completions", request, answer)


def data_of(examples: Sequence[Example], kind: Kind = "json", answers: tuple[str, ...] = ()) -> TaskData:
    """A task of these examples, a sixth of them for calibration and a sixth held out."""
    sixth = len(examples) // 6
    task = Task("desk/task", "a task", kind, len(examples), 0.5, answers)
    parts = examples[: -2 * sixth], examples[-2 * sixth : -sixth], examples[-sixth:]
    return TaskData(task, *(tuple(part) for part in parts))
