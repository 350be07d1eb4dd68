"""A deadline that costs next to nothing to move."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class Alarm:
    """Calls `ring` when the deadline passes.

    The event loop's timer is left standing while the deadline moves back, and looks again when it fires, so that a
    busy keep-alive connection arms a timer once in a while rather than once per request and phase."""

    __slots__ = ("_deadline", "_loop", "_ring", "_timer", "_timer_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def set(self, seconds: float | None) -> None:
        """Ring in `seconds` from now, or not at all when None; replaces the former deadline."""
        if seconds is None:
            self._deadline = math.inf
            return
        self._deadline = deadline = self._loop.time() + seconds
        if deadline < self._timer_at:
            self._arm(deadline)

    def cancel(self) -> None:
        """Never ring, and let go of the loop's timer."""
        self._deadline = self._timer_at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._fired)

    def _fired(self) -> None:
        self._timer = None
        self._timer_at = math.inf
        if self._deadline == math.inf:
            return
        if self._deadline > self._loop.time():
            self._arm(self._deadline)
        else:
            self._deadline = math.inf
            self._ring()
