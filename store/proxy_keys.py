"""Proxy keys: who may use the proxy, and as what. Only hashes are stored; workers check a mirror file, no database."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec
from sqlalchemy import Engine, insert, select, update

from store.database import translating, writing
from store.errors import StoreError
from store.schema import proxy_keys
from store.whole_file import replace_file

Role = Literal["agent", "viewer", "curator", "admin"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
PREFIX: Final = "usk_"
_SECRET_BYTES: Final = 32


class MirroredKey(msgspec.Struct, frozen=True):
    """What a worker needs to recognise a key."""

    id: str
    name: str
    role: Role
    hash: str
    """SHA-256 of the whole secret, hex."""


class Mirror(msgspec.Struct, frozen=True):
    """The mirror file: the active keys, as JSON."""

    keys: tuple[MirroredKey, ...]


@dataclass(frozen=True, slots=True)
class ProxyKey:
    """A key without its secret. Times are Unix seconds."""

    id: str
    name: str
    role: Role
    created: int
    revoked: int | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: the only time that its secret is known."""

    id: str
    secret: str


class ProxyKeys:
    """The table of keys. Methods raise DatabaseAway."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, name: str, role: Role, now: int) -> NewKey:
        """Make a key; raises StoreError for an unknown role or an empty name."""
        if role not in ROLES:
            raise StoreError(f"unknown role {role!r}; expected one of {', '.join(ROLES)}")
        if not name.strip():
            raise StoreError("a key needs a name, by which people know it in lists and statistics")
        secret = PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).rstrip(b"=").decode()
        key_id = secrets.token_hex(6)
        row = {"id": key_id, "name": name, "role": role, "hash": hash_secret(secret), "created": now}
        with translating(self._engine), writing(self._engine) as connection:
            connection.execute(insert(proxy_keys).values(row))
        return NewKey(key_id, secret)

    def list(self) -> Sequence[ProxyKey]:
        """All keys, the oldest first, revoked ones included."""
        columns = (proxy_keys.c[name] for name in ("id", "name", "role", "created", "revoked"))
        with translating(self._engine), self._engine.connect() as connection:
            rows = connection.execute(select(*columns).order_by(proxy_keys.c.created, proxy_keys.c.id))
            return [ProxyKey(*row) for row in rows]

    def revoke(self, key_id: str, now: int) -> bool:
        """Take a key back; returns whether it was active."""
        statement = (
            update(proxy_keys)
            .where(proxy_keys.c.id == key_id, proxy_keys.c.revoked.is_(None))
            .values(revoked=now)
        )
        with translating(self._engine), writing(self._engine) as connection:
            return connection.execute(statement).rowcount == 1

    def mirror(self, path: Path) -> bool:
        """Write the active keys to the file that workers watch; returns whether it changed.

        The file is replaced as a whole, is readable by its owner only, and stays as it was when the database is away.
        """
        columns = (proxy_keys.c[name] for name in ("id", "name", "role", "hash"))
        query = select(*columns).where(proxy_keys.c.revoked.is_(None)).order_by(proxy_keys.c.id)
        with translating(self._engine), self._engine.connect() as connection:
            keys = tuple(MirroredKey(*row) for row in connection.execute(query))
        data = msgspec.json.encode(Mirror(keys))
        try:
            return replace_file(path, data)
        except OSError as error:
            raise StoreError(f"cannot write the key mirror {str(path)!r}: {error.strerror}") from error


def hash_secret(secret: str) -> str:
    """What is stored of a secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def read_mirror(path: Path) -> Mirror:
    """The active keys; raises StoreError when the file cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Mirror)
    except OSError as error:
        raise StoreError(f"cannot read the key mirror {str(path)!r}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise StoreError(
            f"the key mirror {str(path)!r} is damaged: {error}; the shipper writes it anew"
        ) from error
