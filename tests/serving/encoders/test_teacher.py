"""The teacher, where the extra is installed: the published weights, and vectors that see meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conversion.student import distil
from serving.encoders import teacher
from serving.encoders.errors import EncoderError
from serving.encoders.teacher import Teacher, check

pytestmark = pytest.mark.skipif(not teacher.installed(), reason="the extra `convert` is not installed")


@pytest.fixture(scope="module")
def minilm() -> Teacher:
    return Teacher.load()


def test_it_sees_meaning(minilm: Teacher) -> None:
    vectors = minilm.encode(["cancel my order", "I no longer want what I bought", "it rains in Paris", " "])

    assert vectors.shape == (4, teacher.DIMENSIONS)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert not vectors[3].any()


def test_other_weights_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"something else")

    with pytest.raises(EncoderError, match="not the published model"):
        check(weights)
    with pytest.raises(EncoderError, match="cannot read"):
        check(tmp_path / "absent")


def test_the_student_sees_what_the_teacher_sees(minilm: Teacher) -> None:
    student = distil(minilm, lambda _done, _all: None, dimensions=64, most=4_000)
    texts = ["money in the bank", "the bank has my money", "rain and cold weather", "the weather is cold"]

    vectors = student.encode(texts)

    assert vectors.shape == (4, 64)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert vectors[2] @ vectors[3] > vectors[1] @ vectors[3]
