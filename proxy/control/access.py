"""Who may see a control page, and from where."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from fastapi import Request

from proxy.auth import Authenticator
from proxy.errors import Refusal
from store.proxy_keys import ROLES, Role

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def needs(auth: Authenticator, role: Role) -> Callable[[Request], None]:
    """A dependency that refuses callers below a role, and web pages of other sites.

    In passthrough mode everybody on this host is the owner, and so would be every web page that a browser on this host
    shows: what shows content or changes something is therefore answered only under a name that is surely this host's
    (else a foreign name could be pointed here), and nothing is changed for another origin."""

    def check(request: Request) -> None:
        caller = auth.caller(request.headers.raw)
        if not caller.may(role):
            raise Refusal(
                403,
                f"This page needs a key with role {role!r} or higher; yours has {caller.role!r}.",
                kind="permission_error",
                code="role_missing",
            )
        if request.method not in _SAFE_METHODS:
            _refuse_other_origins(request)
        if not caller.key and ROLES.index(role) >= ROLES.index("curator"):
            _refuse_other_names(request)

    return check


def _refuse_other_origins(request: Request) -> None:
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise Refusal(
            403, f"A page of {origin!r} may not change anything here.", kind="permission_error", code="origin"
        )


def _refuse_other_names(request: Request) -> None:
    host = request.headers.get("host", "")
    if not _is_local(host):
        message = (
            f"Without proxy keys this page is shown under this host's own names only, not as {host!r}: "
            "open it as http://127.0.0.1, or set auth.mode: keys."
        )
        raise Refusal(403, message, kind="permission_error", code="host")


def _is_local(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
