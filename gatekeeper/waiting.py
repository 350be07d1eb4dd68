"""Servers that are waited for: one that is down, refuses the key or is busy is asked again after a growing pause."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Final

from gatekeeper.asking import Fault

log = logging.getLogger("understudy.gatekeeper")

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
_WHAT: Final[Mapping[str, str]] = {
    "unreachable": "cannot be reached",
    "refused": "refuses what it is asked (status {status}): is its key right, its model loaded?",
    "busy": "says that it is busy (status {status})",
}


class Waiting:
    """Remembers whom to leave alone, and tells once when that begins and ends."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._pause: dict[str, float] = {}
        self._told: dict[str, str] = {}

    def blocks(self, name: str) -> bool:
        """Whether a server is left alone for now."""
        return time.monotonic() < self._until.get(name, 0.0)

    def failed(self, name: str, fault: Fault, status: int, asked: float) -> None:
        """It has to be waited for, at least the seconds that it asked for itself."""
        if self.blocks(name):  # one of several requests at once has said so already
            return
        pause = self._pause.get(name, _FIRST_PAUSE)
        self._pause[name] = min(pause * 2, _LONGEST_PAUSE)
        self._until[name] = time.monotonic() + max(pause, asked)
        what = _WHAT.get(fault, fault).format(status=status)
        if self._told.get(name) != what:
            self._told[name] = what
            log.warning("%s %s; comparing with it goes on later", name, what)

    def answered(self, name: str) -> None:
        """It answers again."""
        self._until.pop(name, None)
        self._pause.pop(name, None)
        if self._told.pop(name, None) is not None:
            log.info("%s answers again", name)

    @property
    def told(self) -> Mapping[str, str]:
        """What is wrong with whom."""
        return dict(self._told)
