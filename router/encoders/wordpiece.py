"""WordPiece: words into the pieces of a vocabulary, the way BERT's uncased models were trained to read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+|[^\s]", re.UNICODE)
_LONGEST_WORD: Final = 100
"""Characters past which a word is unknown, as in BERT."""
_CACHED: Final = 20_000
"""Words whose pieces are remembered."""


class WordPiece:
    """Greedy longest match from the left; pieces inside a word begin with `##` (Wu et al., arXiv 1609.08144)."""

    def __init__(self, vocabulary: Mapping[str, int], unknown: str = "[UNK]") -> None:
        self._vocabulary = vocabulary
        self._unknown = (vocabulary[unknown],) if unknown in vocabulary else ()
        self._cache: dict[str, tuple[int, ...]] = {}

    def ids(self, text: str) -> list[int]:
        """Numbers of the pieces of a text; case and accents are dropped first."""
        found: list[int] = []
        for word in words(text):
            pieces = self._cache.get(word)
            if pieces is None:
                pieces = self._pieces(word)
                if len(self._cache) < _CACHED:
                    self._cache[word] = pieces
            found += pieces
        return found

    def _pieces(self, word: str) -> tuple[int, ...]:
        if len(word) > _LONGEST_WORD:
            return self._unknown
        pieces, start = [], 0
        while start < len(word):
            piece, start = self._longest(word, start)
            if piece is None:
                return self._unknown
            pieces.append(piece)
        return tuple(pieces)

    def _longest(self, word: str, start: int) -> tuple[int | None, int]:
        """The longest piece at a place, and where the next begins."""
        mark = "##" if start else ""
        for end in range(len(word), start, -1):
            number = self._vocabulary.get(mark + word[start:end])
            if number is not None:
                return number, end
        return None, start


def words(text: str) -> Iterator[str]:
    """Words and single marks, in lower case without accents; every CJK character is a word."""
    folded = unicodedata.normalize("NFD", text.lower())
    if not folded.isascii():
        folded = "".join(_spaced(each) for each in folded if unicodedata.category(each) != "Mn")
    return (found[0] for found in _WORD.finditer(folded))


def _spaced(character: str) -> str:
    return f" {character} " if _is_ideograph(ord(character)) else character


def _is_ideograph(code: int) -> bool:
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0x20000 <= code <= 0x2CEAF
        or 0xF900 <= code <= 0xFAFF
        or 0x2F800 <= code <= 0x2FA1F
    )
