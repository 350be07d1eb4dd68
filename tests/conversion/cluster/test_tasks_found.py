"""Found tasks as an artifact: what workers need to recognise them lies in it, and the next run knows them again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conversion.cluster.cluster import members_of
from conversion.tasks_found import FindTasks, Found
from proxy.recogniser import open_recogniser
from router.encoder import Encoder
from router.encoders.hashed_ngrams import HashedNgrams
from router.encoders.light import WEIGHTS
from router.encoders.static import StaticEncoder
from store.artifacts import Artifact, ArtifactStore
from store.keyring import KeyRing
from tests.conversion.cluster.conftest import MakeExample
from tests.conversion.cluster.test_cluster import broad

SYSTEM = "You are Desk. You do what you are asked."
WORDS = (
    "sort",
    "this",
    ":",
    "take",
    "the",
    "fields",
    "out",
    "of",
    "write",
    "a",
    "long",
    "and",
    "kind",
    "answer",
    "to",
)


def student(seed: int = 1) -> StaticEncoder:
    vectors = np.random.default_rng(seed).integers(-127, 127, (len(WORDS), 32)).astype(np.int8)
    return StaticEncoder(WORDS, vectors, np.ones(len(WORDS), np.float32))


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts", KeyRing.load(tmp_path / "keys", {}))


def kept(artifacts: ArtifactStore, found: Found) -> Artifact:
    with artifacts.create("router", "router") as draft:
        found.save(draft.folder)
        return draft.commit({})


@pytest.mark.parametrize("encoder", [student(), HashedNgrams(512)], ids=["static", "hashed"])
def test_workers_tell_sub_tasks_apart_with_what_lies_in_the_artifact(
    call: MakeExample, artifacts: ArtifactStore, encoder: Encoder
) -> None:
    examples = broad(call, SYSTEM)

    found = FindTasks(encoder)(examples, None, lambda _done, _all: None)
    artifact = kept(artifacts, found)

    assert (WEIGHTS in artifact.files) == isinstance(encoder, StaticEncoder)
    recognised = members_of(open_recogniser(artifacts, artifact.path), examples)
    assert [recognised[each.call_id] or None for each in examples] == list(found.assigned)
    assert len(set(recognised.values())) == 3


def test_tasks_keep_their_ids_when_the_encoder_changes(call: MakeExample, artifacts: ArtifactStore) -> None:
    examples = broad(call, SYSTEM)
    before = FindTasks(HashedNgrams(512))(examples, None, lambda _done, _all: None)

    after = FindTasks(student())(examples, kept(artifacts, before), lambda _done, _all: None)

    assert after.assigned == before.assigned
    assert after.changes == {}
