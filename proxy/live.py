"""What is in force in this worker, configuration and learned understudies, swapped whole when either changes."""

from __future__ import annotations

from config.load import Configuration
from proxy.engine_server import EngineServers
from proxy.published import Published
from proxy.snapshot import Snapshot, snapshot_of


class Live:
    """Holds one snapshot; replacing it is one assignment, so that a call sees the old one or the new one.

    `heads` is the URL of the embedded head server; empty when there is none."""

    def __init__(self, configuration: Configuration, heads: str = "") -> None:
        self.engines = EngineServers()
        self._heads = heads
        self._published = Published()
        self._put(configuration)

    def snapshot(self) -> Snapshot:
        """The snapshot in force now."""
        return self._snapshot

    def swap(self, configuration: Configuration) -> None:
        """Put another configuration in force; calls in flight finish under the one they began with."""
        self._put(configuration)

    def learn(self, published: Published) -> None:
        """Put another publication in force, likewise."""
        self._published = published
        self._put(self.configuration)

    def _put(self, configuration: Configuration) -> None:
        self.configuration = configuration.with_learned(self._published.learned)
        self._snapshot = snapshot_of(
            self.configuration, self.engines, self._published.publication.deployments, self._heads
        )
