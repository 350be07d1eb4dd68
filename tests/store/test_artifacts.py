"""Artifacts: whole or absent, signed, never half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from store.artifacts import MANIFEST, Artifact, ArtifactStore
from store.errors import ArtifactError
from store.keyring import KeyRing, MasterKey

NAME = "support/ticket-label@3"


@pytest.fixture
def store(tmp_path: Path, ring: KeyRing) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts", ring)


def _made(store: ArtifactStore, weights: bytes = b"weights", name: str = NAME) -> Artifact:
    with store.create("head", name) as draft:
        draft.write("model/weights.bin", weights)
        draft.write("examples.jsonl", b"what people said", sealed=True)
        return draft.commit({"accuracy": 0.98, "labels": ["a", "b"]})


def test_what_was_written_is_read_back(store: ArtifactStore, tmp_path: Path) -> None:
    made = _made(store)
    assert made.path.parent == tmp_path / "artifacts" / "head" / NAME
    opened = store.open(made.path)
    assert opened == made
    assert opened.facts == {"accuracy": 0.98, "labels": ["a", "b"]}
    assert opened.read("model/weights.bin") == b"weights"
    assert opened.read("examples.jsonl") == b"what people said"
    assert b"people" not in (made.path / "examples.jsonl").read_bytes()


def test_versions_are_listed_newest_first(store: ArtifactStore) -> None:
    made = [_made(store, bytes([number])) for number in range(3)]
    other = _made(store, name="support")
    assert list(store.list("head", NAME)) == made[::-1]
    assert store.list("head") == [other, *made[::-1]]
    assert store.list("adapter") == []


def test_a_failed_draft_leaves_nothing(store: ArtifactStore, tmp_path: Path) -> None:
    kept = _made(store)

    def break_off() -> None:
        with store.create("head", NAME) as draft:
            draft.write("half", b"of it")
            raise RuntimeError("training broke")

    with pytest.raises(RuntimeError, match="training broke"):
        break_off()
    assert [path.name for path in kept.path.parent.iterdir()] == [kept.version]


def test_the_draft_of_a_killed_process_goes_with_the_next(store: ArtifactStore, tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from store.artifacts import ArtifactStore\n"
        "from store.keyring import KeyRing, MasterKey\n"
        "with ArtifactStore(Path(sys.argv[1]), KeyRing([MasterKey.generate()])).create('head', 'one') as draft:\n"
        "    draft.write('half', b'of it'); print(draft.folder, flush=True); os.kill(os.getpid(), 9)"
    )
    folder = tmp_path / "artifacts"
    root = Path(__file__).parents[2]
    killed = subprocess.run(
        [sys.executable, "-c", script, folder], cwd=root, capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    draft = Path(killed.stdout.strip())
    assert (draft / "half").exists()
    assert store.list("head") == []
    with store.create("head", "one") as beside, store.create("head", "one"):
        assert not draft.exists()
        assert beside.folder.exists()


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda path: _append(path / "model/weights.bin"), "weights.bin' was changed"),
        (lambda path: (path / "model/weights.bin").unlink(), "weights.bin' is missing"),
        (lambda path: (path / "added.py").write_text("import os"), "added.py' is no part"),
        (lambda path: (path / "linked").symlink_to("/etc"), "linked' is no part"),
        (lambda path: (path / MANIFEST).unlink(), "there is no artifact"),
        (lambda path: (path / MANIFEST).write_bytes(b"{"), "manifest.json' is damaged"),
        (
            lambda path: (path / MANIFEST).write_text((path / MANIFEST).read_text().replace("0.98", "0.99")),
            "not to be trusted",
        ),
    ],
)
def test_harm_is_named_and_the_last_good_version_stays(
    store: ArtifactStore, harm: Callable[[Path], object], says: str
) -> None:
    good, harmed = _made(store), _made(store)
    harm(harmed.path)
    with pytest.raises(ArtifactError, match=says):
        store.open(harmed.path)
    assert list(store.list("head", NAME)) == [good]


def test_a_stranger_is_not_believed_and_a_rotated_key_is(tmp_path: Path, ring: KeyRing) -> None:
    made = _made(ArtifactStore(tmp_path, ring))
    rotated = ArtifactStore(tmp_path, KeyRing([MasterKey.generate(), ring.active]))
    assert rotated.open(made.path).read("examples.jsonl") == b"what people said"
    with pytest.raises(ArtifactError, match="no key"):
        ArtifactStore(tmp_path, KeyRing([MasterKey.generate()])).open(made.path)


def test_a_full_disk_is_an_artifact_error(store: ArtifactStore) -> None:
    kept = _made(store)

    def fill() -> None:
        with store.create("head", NAME) as draft:
            (draft.folder / "weights").symlink_to("/dev/full")
            draft.write("weights", b"x" * 100_000)

    with pytest.raises(ArtifactError, match="No space left"):
        fill()
    assert list(store.list("head", NAME)) == [kept]


@pytest.mark.parametrize("name", ["", "..", "../other", "/etc", "a/../../b", ".hidden"])
def test_a_name_cannot_leave_its_folder(store: ArtifactStore, name: str) -> None:
    with pytest.raises(ArtifactError, match="cannot name an artifact"):
        store.create("head", name)


def test_a_removed_version_is_gone(store: ArtifactStore) -> None:
    first, second = _made(store), _made(store)
    store.remove(second)
    assert list(store.list("head", NAME)) == [first]
    assert os.listdir(first.path.parent) == [first.version]
