"""What kind of API the simulator plays."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from serving.endpoints.dialect import SNAPSHOTS, Dialect, OpenAIDialect

FIXED_TIME = 1_750_000_000
"""The Unix time of `clock="fixed"`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the simulated API presents itself."""

    models: tuple[str, ...] = (*SNAPSHOTS, "text-embedding-3-small", "text-embedding-3-large")
    """Models it has; `*` among them accepts every name. Dated snapshots of known names come with them."""
    require_key: str = ""
    """The only key that is accepted; empty accepts any, and none."""
    clock: Literal["real", "fixed"] = "real"
    """`fixed` makes equal requests get byte-equal responses, heads included but for `date`."""
    dialect: Dialect = field(default_factory=OpenAIDialect)
    compress: bool = False
    """Whether whole JSON answers are gzipped for clients that accept it."""
    obfuscate: bool = False
    """Whether chat chunks carry the padding that the paid API sends by default."""

    def has(self, model: str) -> bool:
        """Whether a model of this name is served."""
        if "*" in self.models or model in self.models or model.startswith("simulate:"):
            return True
        return any(SNAPSHOTS.get(name) == model for name in self.models)

    def now(self) -> int:
        """Unix time by this clock."""
        return FIXED_TIME if self.clock == "fixed" else int(time.time())
