"""The static student: distilled once, kept, and distilled anew when it was damaged."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from conversion.candidate import Progress
from conversion.student import distil
from conversion.students import KIND, NAME, Students
from router.encoders.light import WEIGHTS
from router.encoders.static import StaticEncoder
from serving.encoders import teacher
from serving.encoders.ladder import Encoders
from store.artifacts import ArtifactStore
from store.keyring import KeyRing

pytestmark = pytest.mark.skipif(not teacher.installed(), reason="the extra `convert` is not installed")

_SMALL = partial(distil, dimensions=16, most=300)


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts", KeyRing.load(tmp_path / "keys", {}))


def silent(about: str) -> Progress:
    assert about
    return lambda _done, _all: None


def never(loaded: teacher.Teacher, progress: Progress) -> StaticEncoder:
    raise AssertionError("there is one already")


def test_it_is_distilled_when_first_wanted_and_kept(artifacts: ArtifactStore) -> None:
    students = Students(artifacts, silent, _SMALL)
    encoders = Encoders(students.latest(), students.distilled)
    assert students.latest() is None
    assert encoders.installed == ["hashed", "static", "teacher"]
    assert encoders.name_of("static") == "static-student+hashed-ngrams-2048"
    assert artifacts.list(KIND, NAME) == []

    paired = encoders.of_rung("static")

    assert paired.name.startswith("static-16-")
    assert paired.encode(["cancel my order"]).shape == (1, 16 + 2048)
    assert encoders.student is not None
    kept = Students(artifacts, silent, never)
    assert kept.distilled().name == encoders.student.name
    [artifact] = artifacts.list(KIND, NAME)
    assert artifact.facts == {"encoder": encoders.student.name, "teacher": teacher.NAME}


def test_a_damaged_one_is_as_none(artifacts: ArtifactStore) -> None:
    with artifacts.create(KIND, NAME) as draft:
        draft.write(WEIGHTS, b"no weights")
        artifact = draft.commit({})
    students = Students(artifacts, silent, never)
    assert students.latest() is None
    (artifact.path / WEIGHTS).write_bytes(b"changed")
    assert students.latest() is None
