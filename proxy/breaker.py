"""A circuit breaker: after failures in a row a server is left alone for a growing time, then one call finds out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Literal, get_args

BreakerState = Literal["closed", "half_open", "open"]
BREAKER_STATES: Final = get_args(BreakerState)
"""From good to bad."""

FAILURES: Final = 5
"""In a row, until it opens."""

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds that it stays open: at first, and at most; each failed try doubles them."""


class Breaker:
    """Counts one server's outcomes; not for use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._until: float | None = None
        self._probing = False

    @property
    def state(self) -> BreakerState:
        """`half_open` while the next call, or the one under way, decides whether it closes."""
        if self._until is None:
            return "closed"
        return "half_open" if self._probing or self._clock() >= self._until else "open"

    def admits(self) -> bool:
        """Whether a call may be sent now."""
        return self._until is None or (not self._probing and self._clock() >= self._until)

    def begins(self) -> None:
        """An admitted call leaves; after a pause it is the only one until its outcome is known."""
        self._probing = self._until is not None

    def succeeded(self) -> None:
        """The server answered, whatever it said."""
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._until = None
        self._probing = False

    def failed(self) -> None:
        """The server could not be reached, broke off, or said that it is broken."""
        self._failures += 1
        if self._until is None and self._failures < FAILURES:
            return
        if self._until is None or self._probing:
            self._until = self._clock() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._probing = False

    def undecided(self) -> None:
        """The call ended without telling anything about the server."""
        self._probing = False
