"""A stable share of sessions: the same session always falls on the same side, on every worker and after a restart."""

from __future__ import annotations

from hashlib import blake2b

from router.read import Reading


def position(reading: Reading, salt: str) -> float:
    """Where a call's session lies in [0, 1); calls below a rule's share take part.

    `salt` (the rule's name) makes the samples of two rules independent. Growing a share keeps the sessions that
    already take part. A session is what the agent names in `x-understudy-session`, else key, instructions and first
    user message, which stay the same through a conversation."""
    digest = blake2b(digest_size=8)
    for part in (salt, *_identity(reading)):
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return (int.from_bytes(digest.digest(), "big") >> 11) / 2**53


def _identity(reading: Reading) -> tuple[str, ...]:
    named = reading.header("x-understudy-session")
    return (reading.key, named) if named else (reading.key, reading.system, reading.first_user)
