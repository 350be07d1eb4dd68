"""Proxy keys: secrets shown once, hashes stored, a mirror that workers can trust."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from store.database import open_engine, upgrade
from store.errors import StoreError
from store.proxy_keys import ProxyKeys, Role, hash_secret, read_mirror


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[ProxyKeys]:
    url = f"sqlite:///{tmp_path}/understudy.db"
    upgrade(url)
    engine = open_engine(url)
    yield ProxyKeys(engine)
    engine.dispose()


def test_a_key_is_known_by_its_hash_alone(keys: ProxyKeys, tmp_path: Path) -> None:
    made = keys.create("crew", "agent", 100)
    assert made.secret.startswith("usk_")
    assert len(made.secret) == 4 + 43
    assert keys.mirror(tmp_path / "keys.json")
    (key,) = read_mirror(tmp_path / "keys.json").keys
    assert (key.id, key.name, key.role, key.hash) == (made.id, "crew", "agent", hash_secret(made.secret))
    for file in tmp_path.iterdir():
        assert made.secret.encode() not in file.read_bytes()


def test_the_mirror_changes_only_with_the_keys(keys: ProxyKeys, tmp_path: Path) -> None:
    path = tmp_path / "state" / "keys.json"
    assert keys.mirror(path)
    assert not keys.mirror(path)
    made = keys.create("crew", "admin", 100)
    assert keys.mirror(path)
    assert keys.revoke(made.id, 200)
    assert not keys.revoke(made.id, 300)
    assert keys.mirror(path)
    assert read_mirror(path).keys == ()
    assert [(key.id, key.revoked) for key in keys.list()] == [(made.id, 200)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["keys.json"]


@pytest.mark.parametrize(
    ("name", "role", "says"), [("crew", "owner", "'owner'"), (" ", "agent", "needs a name")]
)
def test_bad_keys_are_refused(keys: ProxyKeys, name: str, role: str, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        keys.create(name, cast("Role", role), 100)


def test_a_damaged_mirror_is_named(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(StoreError, match=r"keys\.json"):
        read_mirror(path)
    path.write_text('{"keys": [{}]}')
    with pytest.raises(StoreError, match="damaged"):
        read_mirror(path)
