"""A labelling task, and an engine that serves a small model for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from conversion.example import Example
from conversion.selection.served import ServedModel
from conversion.task import Task, TaskData
from serving.endpoints.answer import Answer as Said
from serving.endpoints.dialect import VllmDialect
from serving.endpoints.prompt import Prompt, text_of
from simulator.activity import Recorder
from simulator.app import create_app
from simulator.server import RunningServer
from simulator.settings import Settings
from wire.answer import Answer

WORDS = ("refund", "delivery", "password")
HOUR_US = 3_600_000_000


class Labels:
    """Labels the last message by the word in it, but only knows how to put it when an answer is shown to it."""

    def answer(self, prompt: Prompt, index: int = 0) -> Said:
        label = next((word for word in WORDS if word in text_of(prompt.last)), "other")
        told = any(message.get("role") == "assistant" for message in prompt.messages)
        return Said(label if told else f"I think that this is about {label}.")


def example(number: int, **changed: Any) -> Example:
    """One labelled call, an hour's tenth after the one before."""
    word = WORDS[number % len(WORDS)]
    request: dict[str, Any] = {
        "model": "gpt-4o-mini",
        "stream": True,
        "messages": [
            {"role": "system", "content": "Label the ticket."},
            {"role": "user", "content": f"Ticket {number} asks for {word}"},
        ],
    }
    values: dict[str, Any] = {
        "call_id": f"call-{number}",
        "session": f"session-{number}",
        "started": number * HOUR_US // 10,
        "endpoint": "chat.completions",
        "request": request,
        "answer": Answer(word, finish_reason="stop"),
        "input_tokens": 90,
        "output_tokens": 10,
    }
    return Example(**(values | changed))


@pytest.fixture
def data() -> TaskData:
    """90 training, 60 calibration and 150 held-out calls."""
    task = Task("support/label", "label the ticket", "label", calls=600, share=0.5, answers=WORDS)
    calls = [example(number) for number in range(300)]
    return TaskData(task, tuple(calls[:90]), tuple(calls[90:150]), tuple(calls[150:]))


@pytest.fixture(scope="session")
def engine_app() -> Recorder:
    return create_app(Labels(), settings=Settings(models=("tiny",), dialect=VllmDialect()), keep=8)


@pytest.fixture(scope="session")
def engine(engine_app: Recorder) -> Iterator[RunningServer]:
    with RunningServer(engine_app) as running:
        yield running


@pytest.fixture
def served(engine: RunningServer) -> ServedModel:
    return ServedModel(engine.base_url, "tiny", chat_template_kwargs={"enable_thinking": False})
