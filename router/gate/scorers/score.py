"""The scorers' whole interface: two answers go in, a Score comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from wire.answer import Answer


@dataclass(frozen=True, slots=True)
class Score:
    """Whether an understudy's answer is as good as the LLM's."""

    agrees: bool
    value: float
    """From 0 (nothing in common) to 1 (the same)."""
    why: str
    """A short sentence without content of the answers: names of fields and tools at most."""


class Scorer(Protocol):
    """Compares two answers to one request; never raises for anything a model can say."""

    def score(self, llm: Answer, understudy: Answer) -> Score: ...


def unspoken(llm: Answer, understudy: Answer) -> Score | None:
    """The score of a pair that does more than speak; None where both just speak.

    Content scorers ask this first. Tool calls, which `ToolCallScorer` compares before any content is looked at, never
    count as agreement here."""
    if bool(llm.tool_calls) != bool(understudy.tool_calls):
        who = "LLM" if llm.tool_calls else "understudy"
        return Score(False, 0.0, f"only the {who} calls a tool")
    if llm.tool_calls:
        return Score(False, 0.0, "both call tools, which are not compared here")
    if bool(llm.refusal) != bool(understudy.refusal):
        who = "LLM" if llm.refusal else "understudy"
        return Score(False, 0.0, f"only the {who} refuses")
    return None
