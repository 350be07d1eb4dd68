"""What the proxy itself refuses, and the one place that turns it into an answer.

    Refusal                 an OpenAI-shaped error from us, not from the upstream
    ClientLeft              the agent hung up; nobody is left to answer
    BrokenAnswer            the response had started and cannot be completed

Upstream errors are not among them: their status and body are relayed as they came.
"""

from __future__ import annotations

from proxy.transport.base import (
    ConnectError,
    ConnectTimeout,
    FirstByteTimeout,
    IdleTimeout,
    ProtocolError,
    ReadError,
    SendError,
    TransportError,
)


class ClientLeft(Exception):
    """The agent closed its connection before it had its answer."""


class BrokenAnswer(Exception):
    """The upstream failed after bytes had reached the agent; the connection is cut so that the agent notices."""


class Refusal(Exception):
    """An error answered by the proxy in the OpenAI shape.

    `message` is for the developer of the agent and carries no content and no key; `code` is stable.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.should_retry = should_retry


_CAUSES: tuple[tuple[type[TransportError], str, int, str], ...] = (
    (ConnectTimeout, "connect_timeout", 504, "did not accept a connection in time"),
    (ConnectError, "connect", 502, "could not be reached"),
    (FirstByteTimeout, "timeout", 504, "did not answer in time"),
    (IdleTimeout, "stall", 504, "stalled in the middle of its answer"),
    (SendError, "reset", 502, "closed the connection before it answered"),
    (ReadError, "read", 502, "broke off in the middle of its answer"),
    (ProtocolError, "protocol", 502, "answered with something that is not HTTP/1.1"),
    (TransportError, "transport", 502, "failed"),
)


def cause_of(error: TransportError) -> str:
    """The short word that records and statistics use for a transport error."""
    return next(cause for kind, cause, _, _ in _CAUSES if isinstance(error, kind))


def refusal_for(error: TransportError, target: str, *, should_retry: bool | None = None) -> Refusal:
    """The answer an agent gets when no upstream response can be relayed."""
    _, cause, status, sentence = next(row for row in _CAUSES if isinstance(error, row[0]))
    return Refusal(
        status,
        f"The upstream {target!r} {sentence} ({error}).",
        kind="upstream_error",
        code=f"upstream_{cause}",
        should_retry=should_retry,
    )
