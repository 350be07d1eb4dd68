"""What one connection of an agent may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may take. Times are seconds."""

    header_bytes: int = 64 * 1024
    """Of request line and headers together; past it the answer is 431."""
    header_seconds: float = 30.0
    """Within which a request's head must be complete once its first byte has come; past it the answer is 408."""
    body_seconds: float = 60.0
    """How long an agent may pause within its request body; past it the answer is 408."""
    idle_seconds: float = 75.0
    """After which a connection without a request is closed."""
    linger_seconds: float = 2.0
    """For which an agent that was answered before it had sent everything may go on sending."""
