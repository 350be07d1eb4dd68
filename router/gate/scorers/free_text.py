"""Free text: words in common, or the likeness that an embedding sees."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Final, Protocol

from router.gate.scorers.score import Score, unspoken
from wire.answer import Answer

_WORD: Final = re.compile(r"\w+")


class Similarity(Protocol):
    """How much two texts say the same, from 0 to 1, such as the cosine of their embeddings."""

    @property
    def name(self) -> str: ...

    def similarity(self, one: str, other: str) -> float: ...


@dataclass(frozen=True, slots=True)
class TokenF1:
    """Words in common, as SQuAD counts them (Rajpurkar et al., EMNLP 2016): F1 over the multisets of words."""

    name: str = "token F1"

    def similarity(self, one: str, other: str) -> float:
        """1 for texts of the same words; case and punctuation do not count."""
        left, right = Counter(_words(one)), Counter(_words(other))
        total = left.total() + right.total()
        return 2 * (left & right).total() / total if total else float(one.split() == other.split())


@dataclass(frozen=True, slots=True)
class TextScorer:
    """Agrees when the texts are the same but for case and spaces, or alike enough."""

    likeness: Similarity = TokenF1()
    at_least: float = 0.9

    def score(self, llm: Answer, understudy: Answer) -> Score:
        """Compare the answers' text."""
        if (different := unspoken(llm, understudy)) is not None:
            return different
        if _normal(llm.text) == _normal(understudy.text):
            return Score(True, 1.0, "the same text")
        value = min(max(self.likeness.similarity(llm.text, understudy.text), 0.0), 1.0)
        return Score(value >= self.at_least, value, f"{self.likeness.name} {value:.2f}")


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _words(text: str) -> list[str]:
    return _WORD.findall(_normal(text))
