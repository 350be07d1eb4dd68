"""One rule of the owner: which calls, and where they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from router.when import When

AUTO: Final = "auto"
UPSTREAM: Final = "upstream"


@dataclass(frozen=True, slots=True)
class Slm:
    """What the router must know of a small model."""

    name: str
    context: int | None = None
    """Tokens it can read and write together; None when unknown, then no call is too long."""
    images: bool = False
    """Whether it reads images."""
    timeout: float | None = None
    """Seconds it may take; None takes the engine's."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Where calls go that meet all conditions of `when`."""

    name: str
    when: When
    route: str
    """`auto`, `upstream`, or the name of an Slm."""
    share: float = 1.0
    """Share of sessions that may be replaced; the others go upstream."""
    timeout: float | None = None
    """Seconds the understudy may take; None takes the small model's."""
    min_agreement: float = 0.95
    confidence: float = 0.95
    audit: float = 0.0
    fallback: bool = True
