"""Who may call: everybody with their own upstream key (`passthrough`), or holders of proxy keys (`keys`).

Proxy keys are checked against a mirror file that the shipper keeps; no database is asked, so that a database that is
away never locks anybody out.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from proxy import header_rules
from proxy.errors import Refusal
from proxy.transport.base import Headers
from store.errors import StoreError
from store.proxy_keys import ROLES, Role, read_mirror


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever makes a request."""

    key: str
    """Id of the proxy key; empty in passthrough mode."""
    role: Role

    def may(self, role: Role) -> bool:
        """Each role may do what those before it in ROLES may."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Authenticator(Protocol):
    """Says who calls; raises Refusal when nobody known does."""

    def caller(self, headers: Headers) -> Caller: ...


class Passthrough:
    """Every caller on this host is the owner; the upstream checks the agent's key."""

    _owner: Final = Caller("", "admin")

    def caller(self, headers: Headers) -> Caller:
        return self._owner


class ProxyKeys:
    """Callers hold keys whose SHA-256 stand in a mirror file; the file is read again when it changes."""

    def __init__(self, mirror: Path) -> None:
        self._mirror = mirror
        self._stamp: tuple[int, int, int] | None = None
        self._callers: Mapping[bytes, Caller] = {}

    def refresh(self) -> None:
        """Take over a changed mirror; a missing or half-written one leaves the last known keys in force."""
        try:
            stat = os.stat(self._mirror)
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if stamp == self._stamp:
                return
            self._callers = {
                bytes.fromhex(key.hash): Caller(key.id, key.role) for key in read_mirror(self._mirror).keys
            }
            self._stamp = stamp
        except (OSError, StoreError):
            return

    def caller(self, headers: Headers) -> Caller:
        secret = presented_key(headers)
        if not secret:
            raise Refusal(
                401,
                "No API key provided. Send a proxy key as 'Authorization: Bearer usk_...' "
                "(made with `understudy keys create`).",
                code="missing_api_key",
            )
        digest = hashlib.sha256(secret).digest()
        for known, caller in self._callers.items():
            if hmac.compare_digest(known, digest):
                return caller
        raise Refusal(
            401,
            "Incorrect API key provided. This proxy takes keys made with `understudy keys create`.",
            code="invalid_api_key",
        )


def presented_key(headers: Headers) -> bytes:
    """The secret of `Authorization: Bearer`, `x-api-key` or `api-key`; empty when there is none."""
    bearer = header_rules.first(headers, b"authorization")
    if bearer[:7].lower() == "bearer ":
        return bearer[7:].strip().encode("latin-1")
    value = header_rules.first(headers, b"x-api-key") or header_rules.first(headers, b"api-key")
    return value.strip().encode("latin-1")
