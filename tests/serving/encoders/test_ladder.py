"""The ladder of encoders: the best one installed, and the one that a head was trained on."""

from __future__ import annotations

import numpy as np
import pytest

from router.encoders.hashed_ngrams import HashedNgrams
from router.encoders.light import WEIGHTS, light_encoder
from router.encoders.static import StaticEncoder
from serving.encoders import teacher
from serving.encoders.errors import EncoderError
from serving.encoders.ladder import Encoders
from serving.encoders.pair import Pair


def student(seed: int = 1) -> StaticEncoder:
    vectors = np.random.default_rng(seed).integers(-127, 127, (3, 8)).astype(np.int8)
    return StaticEncoder(("cancel", "order", "refund"), vectors, np.ones(3, np.float32))


def nothing(name: str) -> bytes:
    raise AssertionError(name)


def test_the_best_rung_that_is_installed() -> None:
    expected = "teacher" if teacher.installed() else "hashed"

    assert Encoders().best == expected
    assert Encoders().of_rung("hashed").name == "hashed-ngrams-4096"
    assert Encoders(student()).of_rung("static").name.startswith("static-8-")


def test_a_static_encoder_must_be_distilled_first() -> None:
    with pytest.raises(EncoderError, match="convert"):
        Encoders().of_rung("static")


@pytest.mark.parametrize("name", ["hashed-ngrams-512", f"{student().name}+hashed-ngrams-64", student().name])
def test_encoders_are_found_by_name(name: str) -> None:
    found = Encoders().named(name, {WEIGHTS: student().to_bytes()}.__getitem__)

    assert found.name == name
    assert found.encode(["cancel order"]).shape == (1, found.dimensions)


@pytest.mark.parametrize("name", ["gpt-9", "hashed-ngrams-1000", "hashed-ngrams-", ""])
def test_names_that_nobody_has_are_refused(name: str) -> None:
    with pytest.raises(EncoderError):
        Encoders().named(name, nothing)


def test_other_weights_are_refused() -> None:
    with pytest.raises(EncoderError, match=WEIGHTS):
        Encoders().named(student().name, {WEIGHTS: student(2).to_bytes()}.__getitem__)


def test_a_pair_averages_what_its_two_see() -> None:
    one, two = HashedNgrams(64), HashedNgrams(128)
    texts = ["cancel my order", "cancel the order", ""]

    paired = Pair(one, two).encode(texts)

    first, second = one.encode(texts), two.encode(texts)
    assert paired @ paired.T == pytest.approx((first @ first.T + second @ second.T) / 2, abs=1e-5)


def test_light_encoders_know_only_light_names() -> None:
    assert light_encoder("minilm-l6-v2", nothing) is None
    assert light_encoder("hashed-ngrams-64", nothing) == HashedNgrams(64)
