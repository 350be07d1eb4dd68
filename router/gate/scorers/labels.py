"""Labels: answers out of a small closed set, the same when they are after normalising."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import dropwhile
from typing import Final

from router.gate.scorers.score import Score, unspoken
from wire.answer import Answer

_MEANING: Final = "+-<>=#%&@$/\\_"
"""Marks at the edge of a label that may tell it from another, such as `C++` and `-1`."""


@dataclass(frozen=True, slots=True)
class LabelScorer:
    """Agrees when both answers are the same label, whatever their case, spaces, quotes and closing punctuation."""

    def score(self, llm: Answer, understudy: Answer) -> Score:
        """Compare the answers' text."""
        if (different := unspoken(llm, understudy)) is not None:
            return different
        expected = normal_label(llm.text)
        if not expected:
            return Score(False, 0.0, "the LLM gave no label")
        same = expected == normal_label(understudy.text)
        return Score(same, float(same), "the same label" if same else "another label")


def normal_label(text: str) -> str:
    """A label as it is compared: NFKC, case folded, one space between words, no punctuation around it."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    front = "".join(dropwhile(_idle, folded))
    return "".join(reversed(list(dropwhile(_idle, reversed(front))))) or folded


def _idle(character: str) -> bool:
    """Punctuation and space, and marks such as backticks, that carry no meaning at a label's edge."""
    if character in _MEANING:
        return False
    return character.isspace() or character == "`" or unicodedata.category(character).startswith("P")
