"""The configuration in force in this worker, swapped whole when the file changes."""

from __future__ import annotations

from config.load import Configuration
from proxy.snapshot import Snapshot, snapshot_of


class Live:
    """Holds one snapshot; replacing it is one assignment, so that a call sees the old one or the new one."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._snapshot = snapshot_of(configuration)

    def snapshot(self) -> Snapshot:
        """The snapshot in force now."""
        return self._snapshot

    def swap(self, configuration: Configuration) -> None:
        """Put another configuration in force; calls in flight finish under the one they began with."""
        self._snapshot = snapshot_of(configuration)
        self.configuration = configuration
