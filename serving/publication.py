"""What is deployed, as one file: written by the gatekeeper, read by workers, head servers and engines' placement.

Workers never ask the database what is deployed; they read this file again whenever it changes.
"""

from __future__ import annotations

from typing import Final

import msgspec

from router.gate.scorers.by_kind import Kind
from router.gate.states import State

FILE_NAME: Final = "published.json"
"""Its name in the folder `learned` of the state directory."""

HEADS: Final = "heads"
"""Name of the embedded engine of classification heads, where the configuration names no other."""


class Deployment(msgspec.Struct, frozen=True):
    """One (task, understudy) pair."""

    understudy: str
    """Name as rules, records and headers have it, such as `ticket-label@3`."""
    task: str
    kind: Kind
    state: State
    engine: str
    """Name of the engine in the configuration, or HEADS."""
    model: str
    """Its name on the engine."""
    files: str
    """Folder of its artifact: a head, an adapter or a whole model."""
    share: float
    """Of sessions that it answers, by the gate: 0 until the canary."""
    threshold: float = 0.0
    """It answers when its confidence is at least this."""
    agreement: float = 0.0
    """Lower bound of its agreement with the LLM, as certified."""
    confidence: float = 0.0
    """Confidence with which that was shown."""


class Publication(msgspec.Struct, frozen=True):
    """Everything that is deployed."""

    version: str = ""
    router: str = ""
    """Path of the recogniser's artifact; empty while there is none."""
    deployments: tuple[Deployment, ...] = ()
