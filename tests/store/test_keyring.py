from __future__ import annotations

import base64
import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.errors import KeyMissing, KeyringError, Tampered
from store.keyring import CONTENT, DIGEST, JOURNAL, VARIABLE, KeyRing, MasterKey, Sealer

SECRET = bytes(range(32))
TEXT = base64.b64encode(SECRET).decode()


def test_environment_comes_before_the_file(tmp_path: Path) -> None:
    other = MasterKey.generate()
    ring = KeyRing.load(tmp_path / "key", {VARIABLE: f"{TEXT}, {other.export()}"})
    assert ring.ids == (MasterKey(SECRET).id, other.id)
    assert ring.active.export() == TEXT
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "é" * 32,
        TEXT[:-4],
        TEXT + ",",
        f"{TEXT},{TEXT}x",
        base64.b64encode(bytes(16)).decode(),
        " ",
    ],
)
def test_malformed_variable_is_named_but_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyringError, match=VARIABLE) as caught:
        KeyRing.load(tmp_path / "key", {VARIABLE: text})
    assert TEXT[:8] not in str(caught.value)
    assert "openssl rand -base64 32" in str(caught.value)


def test_url_safe_base64_is_taken(tmp_path: Path) -> None:
    secret = bytes([251, 255]) * 16
    ring = KeyRing.load(tmp_path / "key", {VARIABLE: base64.urlsafe_b64encode(secret).decode()})
    assert ring.active.id == MasterKey(secret).id


def test_file_is_made_on_first_start(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master"
    first = KeyRing.load(path, {})
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert KeyRing.load(path, {}).ids == first.ids
    assert [entry.name for entry in path.parent.iterdir()] == ["master"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    KeyRing.load(path, {})
    path.chmod(mode)
    with pytest.raises(KeyringError, match=f"mode 0{mode:o}.*chmod 600"):
        KeyRing.load(path, {})


@pytest.mark.parametrize("content", ["", "# nothing\n", "short\n"])
def test_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(content)
    with pytest.raises(KeyringError, match=str(path)):
        KeyRing.load(path, {})
    assert path.read_text() == content


def test_file_in_an_impossible_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyringError, match="cannot make the directory"):
        KeyRing.load(tmp_path / "file" / "key", {})
    with pytest.raises(KeyringError, match="cannot read the key file"):
        KeyRing.load(tmp_path, {})


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    code = (
        "import sys; from pathlib import Path; from store.keyring import KeyRing; sys.stdin.read();"
        "print(KeyRing.load(Path(sys.argv[1]), {}).active.id.hex())"
    )
    command = [sys.executable, "-c", code, str(path)]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    seen = set()
    for child in children:
        with child:
            assert child.stdout is not None
            seen.add(child.stdout.read().strip())
    assert seen == {KeyRing.load(path, {}).active.id.hex()}


def test_rotation_keeps_old_keys_and_reaches_other_rings(tmp_path: Path) -> None:
    mine = KeyRing.load(tmp_path / "key", {})
    theirs = KeyRing.load(tmp_path / "key", {})
    old = mine.active.id
    new = mine.rotate()
    assert mine.ids == (new.id, old)
    assert theirs.active.id == old
    assert theirs.by_id(new.id).export() == new.export()
    assert theirs.active.id == new.id
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_known_keys_survive_the_loss_of_the_file(tmp_path: Path) -> None:
    ring = KeyRing.load(tmp_path / "key", {})
    (tmp_path / "key").unlink()
    assert not ring.refresh()
    assert ring.by_id(ring.active.id) is ring.active


def test_rotation_of_environment_keys_says_where() -> None:
    ring = KeyRing.load(Path("unused"), {VARIABLE: TEXT})
    with pytest.raises(KeyringError, match=VARIABLE):
        ring.rotate()


def test_unknown_key_is_named_by_id(ring: KeyRing) -> None:
    with pytest.raises(KeyMissing, match="deadbeef"):
        ring.by_id(bytes.fromhex("deadbeef"))


def test_sub_keys_differ_by_purpose_salt_and_master() -> None:
    key = MasterKey(SECRET)
    derived = {
        key.derive(JOURNAL),
        key.derive(CONTENT),
        key.derive(DIGEST),
        key.derive(JOURNAL, b"salt"),
        MasterKey.generate().derive(JOURNAL),
        SECRET,
    }
    assert len(derived) == 6
    assert MasterKey(SECRET).derive(JOURNAL, b"salt") in derived


def test_keys_are_never_shown(ring: KeyRing) -> None:
    key = MasterKey(SECRET)
    sealer = Sealer(ring)
    for shown in (repr(key), str(key), repr(KeyRing([key])), f"{sealer!r}"):
        assert TEXT not in shown
        assert repr(SECRET)[2:10] not in shown
    for secret in (key, KeyRing([key]), sealer):
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(secret)
    with pytest.raises(TypeError, match="pickle"):
        copy.copy(key)


def test_a_ring_is_never_empty_and_keys_have_32_bytes() -> None:
    with pytest.raises(KeyringError):
        KeyRing([])
    with pytest.raises(KeyringError, match="not 16"):
        MasterKey(bytes(16))


@given(plain=st.binary(max_size=200), aad=st.binary(max_size=20))
def test_sealed_payloads_open_again(plain: bytes, aad: bytes) -> None:
    sealer = Sealer(KeyRing([MasterKey(SECRET)]))
    assert sealer.open(sealer.seal(plain, aad), aad) == plain
    assert sealer.seal(plain, aad) != sealer.seal(plain, aad)


@given(data=st.data())
def test_no_changed_payload_opens(data: st.DataObject) -> None:
    sealer = Sealer(KeyRing([MasterKey(SECRET)]))
    sealed = bytearray(sealer.seal(b"content", b"place"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((Tampered, KeyMissing)):
        sealer.open(bytes(sealed), b"place")


def test_payload_belongs_to_its_place_purpose_and_size(ring: KeyRing) -> None:
    sealed = Sealer(ring).seal(b"content", b"here")
    with pytest.raises(Tampered, match=ring.active.id.hex()):
        Sealer(ring).open(sealed, b"there")
    with pytest.raises(Tampered):
        Sealer(ring, b"other").open(sealed, b"here")
    with pytest.raises(Tampered, match="too few"):
        Sealer(ring).open(sealed[:20], b"here")


def test_payloads_outlive_rotation(tmp_path: Path) -> None:
    ring = KeyRing.load(tmp_path / "key", {})
    sealer = Sealer(ring)
    before = sealer.seal(b"old")
    ring.rotate()
    after = sealer.seal(b"new")
    assert before[:4] != after[:4]
    fresh = Sealer(KeyRing.load(tmp_path / "key", {}))
    assert (fresh.open(before), fresh.open(after)) == (b"old", b"new")
