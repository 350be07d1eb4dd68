"""The static encoder: means of token vectors, kept in one file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.encoders.static import StaticEncoder
from router.encoders.wordpiece import WordPiece, words

TOKENS = ("[UNK]", "cancel", "refund", "##s", "order", "é", "取", "消")


def encoder() -> StaticEncoder:
    vectors = np.random.default_rng(1).integers(-127, 127, (len(TOKENS), 16)).astype(np.int8)
    return StaticEncoder(TOKENS, vectors, np.linspace(0.1, 1, len(TOKENS)).astype(np.float32))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cancel refunds", ["cancel", "refund", "##s"]),
        ("ORDER!", ["order", "[UNK]"]),
        ("取消", ["取", "消"]),
        ("xyz", ["[UNK]"]),
        ("c" * 200, ["[UNK]"]),
        ("", []),
    ],
)
def test_words_are_cut_into_known_pieces(text: str, expected: list[str]) -> None:
    pieces = WordPiece({token: number for number, token in enumerate(TOKENS)})

    assert [TOKENS[number] for number in pieces.ids(text)] == expected


def test_accents_and_case_are_dropped() -> None:
    assert list(words("Café, NAÏVE_x")) == ["cafe", ",", "naive", "_", "x"]


@given(st.lists(st.text(max_size=40), max_size=4))
def test_rows_have_length_one_or_are_zero(texts: list[str]) -> None:
    vectors = encoder().encode(texts)

    assert vectors.shape == (len(texts), 16)
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))


def test_weights_come_back_from_their_file() -> None:
    first = encoder()

    second = StaticEncoder.from_bytes(first.to_bytes())

    assert second.name == first.name
    assert np.array_equal(second.encode(["cancel order"]), first.encode(["cancel order"]))


@pytest.mark.parametrize("data", [b"", b"no zip", encoder().to_bytes()[:200]])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="static encoder"):
        StaticEncoder.from_bytes(data)


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        StaticEncoder(TOKENS, np.zeros((2, 4), np.int8), np.zeros(2, np.float32))
