"""An encoder that remembers gives the vectors of the one inside, and asks it once a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from router.encoder import Vectors
from router.encoders.hashed_ngrams import HashedNgrams
from serving.encoders.remembered import Remembered


class Counting:
    """Hashed n-grams that count what they are asked."""

    def __init__(self) -> None:
        self._inner = HashedNgrams(1024)
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def dimensions(self) -> int:
        return self._inner.dimensions

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return self._inner.encode(texts)


@given(
    st.lists(st.lists(st.sampled_from(["a cat", "a dog", "", "ein Hund", "\ud800"]), max_size=6), max_size=5)
)
def test_vectors_are_those_of_the_encoder_inside(batches: list[list[str]]) -> None:
    inner = Counting()
    remembered = Remembered(inner)
    for batch in batches:
        assert np.array_equal(remembered.encode(batch), HashedNgrams(1024).encode(batch))
    assert len(inner.asked) == len(set(inner.asked))


def test_the_oldest_are_forgotten_first() -> None:
    inner = Counting()
    remembered = Remembered(inner, kept=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        remembered.encode([text])
    assert inner.asked == ["a", "b", "c", "b"]
