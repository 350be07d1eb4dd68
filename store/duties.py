"""Periodic duties of the shipper process, such as retention: done between batches, never allowed to stop them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from store.errors import StoreError

log = logging.getLogger(__name__)

Duty = Callable[[], None]


class Duties:
    """Calls each duty when its interval (seconds) has passed since it last ended; the first time at once."""

    def __init__(self, every: Sequence[tuple[float, Duty]]) -> None:
        self.faults = 0
        """Calls that ended in an exception."""
        self._every = tuple(every)
        self._due = [0.0] * len(self._every)

    def run_due(self) -> None:
        """Do what is due; a fault is logged and counted, and the duty is tried again after its interval."""
        for index, (seconds, duty) in enumerate(self._every):
            if time.monotonic() < self._due[index]:
                continue
            try:
                duty()
            except Exception as error:  # noqa: BLE001  shipping goes on whatever a duty does
                self.faults += 1
                log.error("duty %s failed: %s", getattr(duty, "__qualname__", duty), describe(error))
            self._due[index] = time.monotonic() + seconds


def describe(error: BaseException) -> str:
    """Name an error and its cause; with its message only if it is ours, as others may quote what was logged."""
    message = f": {error}" if isinstance(error, StoreError) else ""
    cause = f" ({type(error.__cause__).__name__})" if error.__cause__ else ""
    return type(error).__name__ + message + cause
