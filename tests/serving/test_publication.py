"""The published file: signed, whole, and never trusted from a stranger."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.publication import Deployment, Publication, PublicationError, publish, read_publication
from store.keyring import KeyRing, MasterKey

_DEPLOYED = Publication(
    version="0123",
    router="/artifacts/router/main/1",
    deployments=(
        Deployment(
            understudy="support/ticket-label@3",
            task="support/ticket-label",
            kind="label",
            state="canary5",
            engine="heads",
            model="support/ticket-label@3",
            files="/artifacts/head/support/ticket-label@3/1",
            share=0.05,
        ),
    ),
)


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing([MasterKey.generate()])


def test_it_is_read_as_it_was_written(tmp_path: Path, ring: KeyRing) -> None:
    path = tmp_path / "learned" / "published.json"
    assert read_publication(path, ring) == Publication()
    assert publish(path, _DEPLOYED, ring)
    assert not publish(path, _DEPLOYED, ring)
    assert read_publication(path, ring) == _DEPLOYED
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_rotated_key_still_vouches(tmp_path: Path, ring: KeyRing) -> None:
    path = tmp_path / "published.json"
    publish(path, _DEPLOYED, ring)
    assert read_publication(path, KeyRing([MasterKey.generate(), ring.active])) == _DEPLOYED


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"0.05", b"1.0"),
        lambda data: data[:-10],
        lambda data: b"",
        lambda data: b"[]",
        lambda data: b'{"key": "zz", "signature": "", "publication": {}}',
        lambda data: b"\xff\xfe",
    ],
)
def test_what_was_tampered_with_is_refused(tmp_path: Path, ring: KeyRing, change: object) -> None:
    assert callable(change)
    path = tmp_path / "published.json"
    publish(path, _DEPLOYED, ring)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(PublicationError, match=r"published\.json.*not to be trusted"):
        read_publication(path, ring)


def test_a_stranger_is_refused(tmp_path: Path, ring: KeyRing) -> None:
    path = tmp_path / "published.json"
    publish(path, _DEPLOYED, KeyRing([MasterKey.generate()]))
    with pytest.raises(PublicationError, match="no key"):
        read_publication(path, ring)


def test_what_cannot_be_written_is_named(tmp_path: Path, ring: KeyRing) -> None:
    (tmp_path / "learned").write_text("a file where the folder should be")
    with pytest.raises(PublicationError, match="cannot write"):
        publish(tmp_path / "learned" / "published.json", _DEPLOYED, ring)
