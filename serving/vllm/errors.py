"""What can go wrong with an engine.

EngineError
├── EngineAway        it cannot be reached, or broke off in the middle of an answer
├── EngineRefused     it answered with an error
└── EngineNotStarted  it could not be started; the message carries its last words
"""

from __future__ import annotations


class EngineError(Exception):
    """Something is wrong with an engine; the message names its URL and what happened."""


class EngineAway(EngineError):
    """It cannot be reached, or broke off in the middle of an answer."""


class EngineRefused(EngineError):
    """It answered with an error."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class EngineNotStarted(EngineError):
    """It could not be started."""
