"""What the gatekeeper works with, put together by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from config.load import Configuration
from gatekeeper.placement import Placement
from router.gate.scorers.free_text import Similarity
from store.keyring import KeyRing
from store.prices import Prices


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Replaced as a whole when the configuration changes."""

    configuration: Configuration
    engine: Engine
    ring: KeyRing = field(repr=False)
    prices: Prices
    heads: str = ""
    """URL of the embedded head server; empty where there is none."""
    placements: Mapping[str, Placement] = field(default_factory=dict)
    """By engine, those that load models at run time."""
    likeness: Similarity | None = None

    @property
    def folder(self) -> Path:
        """Where the publication and the status are written."""
        return self.configuration.published.parent
