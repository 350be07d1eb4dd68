"""The support-desk scenario: plays the LLM behind a support-desk agent.

Seven kinds of call are recognised from the request alone: classify, urgency, queue, extract, act (tools), reply, plan.
What is none of them gets the general brain. The answers come from reading the ticket; at a temperature above 0 a small share
of them is off, as a real model's are.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import orjson

from serving.endpoints.answer import Answer, limited, tool_calls
from serving.endpoints.prompt import Prompt, text_of
from simulator.desk.actions import action, outcome, question
from simulator.desk.plans import plan
from simulator.desk.prompts import LABELS, QUEUES, TOOL_NAMES, Kind
from simulator.desk.reading import Reading
from simulator.desk.replies import reply
from simulator.general import GeneralBrain
from simulator.instances import instance


class SupportDesk:
    """The model of a support desk.

    `noise` is the share of odd answers at temperature > 0. When `repeatable`, equal requests get equal answers; else
    only those with a `seed` or at temperature 0 do, as with the paid API."""

    def __init__(self, *, seed: int = 0, noise: float = 0.01, repeatable: bool = True) -> None:
        self._seed = seed
        self._noise = noise
        self._repeatable = repeatable
        self._asked: Counter[str] = Counter()
        self._general = GeneralBrain()

    def answer(self, prompt: Prompt, index: int = 0) -> Answer:
        """The answer of its kind, cut to the request's limits."""
        kind = kind_of(prompt)
        if kind is None:
            return self._general.answer(prompt, index)
        rng = self._rng(prompt, index)
        odd = prompt.temperature != 0 and rng.random() < self._noise
        reading = Reading(ticket_of(prompt))
        if kind == "act":
            return _act(prompt, reading, index, odd=odd)
        return limited(Answer(_text(kind, prompt, reading, rng, odd=odd)), prompt)

    def _rng(self, prompt: Prompt, index: int) -> random.Random:
        turn = 0
        if not self._repeatable and prompt.seed is None and prompt.temperature != 0:
            self._asked[prompt.digest] += 1
            turn = self._asked[prompt.digest]
        return prompt.rng(f"desk/{self._seed}/{index}/{turn}")


def kind_of(prompt: Prompt) -> Kind | None:
    """Which of the seven kinds of call this is; None for something else."""
    system = prompt.text("system").lower()
    if any(tool.get("name") in TOOL_NAMES for tool in prompt.tools):
        return "act"
    if prompt.schema is not None:
        return "extract" if "order_id" in (prompt.schema.get("properties") or {}) else None
    if "ticket" not in system:
        return None
    if "label" in system and all(label in system for label in LABELS):
        return "classify"
    if "yes or no" in system:
        return "urgency"
    if "queue" in system:
        return "queue"
    if "template" in system:
        return "reply"
    return "plan" if "plan" in system else None


def ticket_of(prompt: Prompt) -> str:
    """The ticket's text: the first user message, from `Ticket:` on when it says so."""
    first = next((text_of(message) for message in prompt.messages if message.get("role") == "user"), "")
    _, mark, rest = first.partition("Ticket:\n")
    return rest if mark else first


def _text(kind: Kind, prompt: Prompt, reading: Reading, rng: random.Random, *, odd: bool) -> str:
    if kind == "classify":
        return rng.choice(LABELS) if odd else reading.label
    if kind == "urgency":
        return "yes" if reading.urgent != odd else "no"
    if kind == "queue":
        return rng.choice(tuple(QUEUES.values())) if odd else QUEUES[reading.label]
    if kind == "extract":
        fields: dict[str, Any] = reading.fields()
        if odd:
            fields["quantity"] = None if fields["quantity"] else 1
        return orjson.dumps(instance(prompt.schema or {}, fields)).decode()
    return plan(reading, rng) if kind == "plan" else reply(reading, rng if odd else None)


def _act(prompt: Prompt, reading: Reading, index: int, *, odd: bool) -> Answer:
    if prompt.last.get("role") == "tool":
        called = [call for message in prompt.messages for call in message.get("tool_calls") or ()]
        name = called[-1]["function"]["name"] if called else ""
        return limited(Answer(outcome(name, text_of(prompt.last))), prompt)
    chosen = None if odd else action(reading)
    offered = {tool.get("name") for tool in prompt.tools}
    if chosen is None or chosen[0] not in offered or prompt.tool_choice == "none":
        return limited(Answer(question(reading)), prompt)
    return tool_calls(prompt, (chosen[0], orjson.dumps(chosen[1]).decode()), index=index)
