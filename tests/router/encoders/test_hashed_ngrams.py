"""Hashed n-grams: the same everywhere, alike for like texts, and no text is too odd."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.encoders.hashed_ngrams import LENGTH, HashedNgrams


@given(st.lists(st.text(st.characters(), max_size=60), max_size=5))
def test_rows_have_length_one_or_are_zero(texts: list[str]) -> None:
    vectors = HashedNgrams(256).encode(texts)

    assert vectors.shape == (len(texts), 256)
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))


@given(st.lists(st.text(max_size=30), min_size=2, max_size=4))
def test_a_text_has_the_same_vector_in_any_company(texts: list[str]) -> None:
    encoder = HashedNgrams(256)

    together = encoder.encode(texts)

    for text, vector in zip(texts, together, strict=True):
        assert np.array_equal(encoder.encode([text])[0], vector)


def test_the_same_on_every_machine() -> None:
    vector = HashedNgrams(16).encode(["Cancel order 42"])[0]

    expected = [0.408248, 0.0, 0.353553, 0.204124, 0.0, 0.204124, -0.288675, 0.204124]
    expected += [-0.288675, -0.5, -0.204124, 0.0, -0.288675, 0.0, 0.204124, 0.0]
    assert vector == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "like", "unlike"),
    [
        ("cancel my order", "cancel the order", "what is the weather"),
        ("cancel my order", "CANCEL   my order", "cancellations"),
        ("stornieren", "storniere", "Wetter"),
        ("请取消订单", "取消订单", "天气怎么样"),
    ],
)
def test_like_texts_are_nearer(text: str, like: str, unlike: str) -> None:
    first, second, third = HashedNgrams().encode([text, like, unlike])

    assert first @ second > first @ third


def test_an_empty_text_says_nothing() -> None:
    assert not HashedNgrams().encode(["", " \n\t "]).any()


def test_of_a_long_text_both_ends_are_read() -> None:
    filler = "x " * LENGTH
    start, end, middle, none = HashedNgrams().encode(
        [f"cancel order {filler}", f"{filler} cancel order", f"{filler} cancel {filler}", filler]
    )

    assert start @ none < 0.999
    assert end @ none < 0.999
    assert middle @ none == pytest.approx(1.0)


@pytest.mark.parametrize("dimensions", [0, 1, 3, 1000, -4])
def test_other_sizes_are_refused_by_name(dimensions: int) -> None:
    with pytest.raises(ValueError, match=str(dimensions)):
        HashedNgrams(dimensions)
