"""Signatures of what one process writes and another loads: HMAC-SHA256 with a key derived from the key ring."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from store.errors import Tampered
from store.keyring import KeyRing


@dataclass(frozen=True, slots=True)
class Signature:
    """Who vouches for some bytes; both parts hex."""

    key: str
    """Id of the master key that the signing key was derived from."""
    code: str


def sign(ring: KeyRing, purpose: bytes, data: bytes) -> Signature:
    """Sign with the active key."""
    key = ring.active
    return Signature(key.id.hex(), _code(key.derive(purpose), data))


def verify(ring: KeyRing, purpose: bytes, data: bytes, signature: Signature) -> None:
    """Raise KeyMissing when the ring lacks the key (it may have been rotated out), Tampered when the code is wrong."""
    try:
        key_id = bytes.fromhex(signature.key)
    except ValueError:
        raise Tampered("its signature names no key") from None
    expected = _code(ring.by_id(key_id).derive(purpose), data)
    if not hmac.compare_digest(expected.encode(), signature.code.encode("utf-8", "replace")):
        raise Tampered(f"its signature by key {signature.key} is wrong: it was changed or belongs elsewhere")


def _code(key: bytes, data: bytes) -> str:
    return hmac.new(key, data, hashlib.sha256).hexdigest()
