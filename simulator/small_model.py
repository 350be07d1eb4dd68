"""A small model's mistakes: wraps a brain and gets a seeded share of its answers wrong or broken."""

from __future__ import annotations

import random
import re
from dataclasses import replace

from serving.endpoints.answer import Answer
from serving.endpoints.prompt import Prompt
from simulator.brain import Brain


class SmallModelBrain:
    """Answers like the brain beneath, but for `error_rate` of the requests (the same ones for the same seed)."""

    def __init__(self, brain: Brain, error_rate: float, *, seed: int = 0) -> None:
        self._brain = brain
        self._error_rate = error_rate
        self._seed = seed

    def answer(self, prompt: Prompt, index: int = 0) -> Answer:
        """The right answer, or a mistake of a kind that small models make."""
        answer = self._brain.answer(prompt, index)
        rng = prompt.rng(f"small/{self._seed}/{index}")
        if rng.random() >= self._error_rate:
            return answer
        if answer.tool_calls:
            return _broken_call(answer, rng)
        if prompt.schema is not None or prompt.json_mode:
            return replace(answer, content=_broken_json(answer.content or "{}", rng))
        return replace(answer, content=_wrong_text(answer.content or "", prompt.text("system"), rng))


def _broken_call(answer: Answer, rng: random.Random) -> Answer:
    """Arguments cut short, of the wrong shape or with wrong digits, or a tool that does not exist."""
    call = answer.tool_calls[0]
    spoiled = rng.choice(
        (
            replace(call, arguments=call.arguments[: len(call.arguments) * 2 // 3]),
            replace(call, arguments='{"input": ' + call.arguments + "}"),
            replace(call, arguments=_wrong_digits(call.arguments)),
            replace(call, name=f"{call.name}_v2"),
        )
    )
    return replace(answer, tool_calls=(spoiled, *answer.tool_calls[1:]))


def _broken_json(text: str, rng: random.Random) -> str:
    """JSON cut short, wrapped in talk, with a field renamed or with wrong digits."""
    cut, chatty = text[: len(text) * 2 // 3], f"Sure! Here it is:\n{text}"
    return rng.choice((cut, chatty, text.replace('"', '"_', 1), _wrong_digits(text)))


def _wrong_digits(text: str) -> str:
    return re.sub(r"\d", lambda digit: str((int(digit.group()) + 1) % 10), text)


def _wrong_text(text: str, system: str, rng: random.Random) -> str:
    """Another label or none at all for a short answer; a long one loses its thread."""
    words = text.split()
    if len(words) > 2:
        return " ".join(words[: max(3, len(words) // 3)]) + " and " + " ".join(words[-3:])
    listed = re.search(r"Labels: ([\w, ]+)", system)
    others = [label for label in listed.group(1).split(", ") if label != text] if listed else []
    return rng.choice((*others[:3], "I am not sure.", "unknown"))
