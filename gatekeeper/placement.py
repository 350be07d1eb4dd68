"""The seam for placement: engines that load models at run time are told which of them are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from store.deployments import AT_WORK, DeploymentRow


class Placed(Protocol):
    """What came of it."""

    @property
    def failed(self) -> Mapping[tuple[str, str], str]:
        """Why a model is not where it should be, by server and model."""
        ...


class Placement(Protocol):
    """Keeps one engine's models as they are wanted; called again and again, also after the engine was started anew."""

    def keep(self, wanted: Mapping[str, Path]) -> Placed:
        """Load what is missing of these models (name on the engine, folder) and unload others that it loaded itself.

        Never raises for a server that is away."""
        ...


def wanted(engine: str, rows: Sequence[DeploymentRow]) -> dict[str, Path]:
    """The models that an engine needs for its understudies from shadow to live.

    What is loaded bears the understudy's own name; a model of another name is one that the engine serves as it is."""
    return {
        row.model: Path(row.files)
        for row in rows
        if row.engine == engine and row.files and row.model == row.understudy and row.state in AT_WORK
    }
