"""Watches the configuration file and keeps the last good Configuration.

It polls, because that works for an editor's rename, for Kubernetes' symlinks and over NFS alike: what is compared is
the identity, size and time of the file that the path leads to. A change is read once two polls in a row saw the same,
so that a file is not read half-written.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from config.load import Configuration, configuration, read
from config.problem import ConfigError, Problem
from config.settings import Server, Settings

POLL_SECONDS: Final = 0.5

Stamp = tuple[int, int, int, int]
"""Device, inode, size and modification time of a file."""

_NEVER: Final[Stamp] = (-1, -1, -1, -1)
_ABSENT: Final[Stamp] = (-2, -2, -2, -2)
_log = logging.getLogger("understudy.config")


class Watcher:
    """Holds the configuration in force and replaces it when its file changes; nothing it does raises.

    `on_change(configuration)` puts a changed file in force, on the event loop; `on_error(error)` hears of one that
    cannot be used, beside the log."""

    def __init__(
        self,
        current: Configuration,
        environ: Mapping[str, str],
        *,
        on_change: Callable[[Configuration], None],
        on_error: Callable[[ConfigError], None] | None = None,
        poll: float = POLL_SECONDS,
    ) -> None:
        self.current = current
        self.loaded_at = time.time()
        """Unix time at which `current` came into force."""
        self.last_error: ConfigError | None = None
        """Why the file as it stands is not in force; None when it is."""
        self.pending_restart: tuple[str, ...] = ()
        """Settings that differ in the file and wait for a restart, such as `server.port`."""
        self._environ = environ
        self._on_change = on_change
        self._on_error = on_error
        self._poll = poll
        self._read = _NEVER
        self._seen = _NEVER

    async def run(self) -> None:
        """Watch until cancelled; returns at once when no file was loaded."""
        path = self.current.path
        if path is None:
            return
        while True:
            await self._look(path)
            await asyncio.sleep(self._poll)

    async def _look(self, path: Path) -> None:
        """One poll: read the file when it differs from what was read last and stood still since the poll before."""
        stamp = await asyncio.to_thread(_stamp, path)
        still, self._seen = stamp == self._seen, stamp
        if not still or stamp == self._read:
            return
        self._read = stamp
        try:
            await self._reload(path)
        except Exception as error:  # noqa: BLE001  a fault of ours must not stop the watching
            _log.exception("Putting %s in force failed.", path)
            told = f"cannot be used: {type(error).__name__}"
            self._refuse(ConfigError([Problem(str(path), 0, 0, "", "", told, "see the log")]))

    async def _reload(self, path: Path) -> None:
        try:
            fresh, pending = await asyncio.to_thread(self._load, path)
        except ConfigError as error:
            self._refuse(error)
            return
        if fresh.version != self.current.version:
            self._on_change(fresh)
            self.current = fresh
            self.loaded_at = time.time()
            _log.info("Configuration %s from %s is in force.", fresh.version, path)
        self.last_error = None
        self.pending_restart = pending
        if pending:
            _log.warning("A restart is needed for: %s.", ", ".join(pending))

    def _load(self, path: Path) -> tuple[Configuration, tuple[str, ...]]:
        """The file's configuration, what cannot change while running kept, and the names of what was kept."""
        merged, pending = _kept(read(path, self._environ), self.current.written)
        return configuration(merged, self._environ, path=path, learned=self.current.router.learned), pending

    def _refuse(self, error: ConfigError) -> None:
        self.last_error = error
        _log.error(
            "Configuration %s stays in force; the file cannot be used:\n%s", self.current.version, error
        )
        if self._on_error is not None:
            self._on_error(error)


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return _ABSENT
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _kept(fresh: Settings, running: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Fresh settings with the running values of what cannot change, and the names of what differs there."""
    server = [
        f"server.{name}"
        for name in Server.model_fields
        if getattr(fresh.server, name) != getattr(running.server, name)
    ]
    others = {
        "auth.mode": fresh.auth.mode != running.auth.mode,
        "store.url": fresh.store.url != running.store.url,
        "state_dir": fresh.state_dir != running.state_dir,
        "learning.enabled": fresh.learning.enabled != running.learning.enabled,
        "store.fsync": fresh.store.fsync != running.store.fsync,
        "learning.artifacts": fresh.learning.artifacts != running.learning.artifacts,
    }
    processes = {"enabled": running.learning.enabled, "artifacts": running.learning.artifacts}
    store = {"url": running.store.url, "fsync": running.store.fsync}
    kept = {
        "server": running.server,
        "auth": fresh.auth.model_copy(update={"mode": running.auth.mode}),
        "store": fresh.store.model_copy(update=store),
        "state_dir": running.state_dir,
        "learning": fresh.learning.model_copy(update=processes),
    }
    return fresh.model_copy(update=kept), (*server, *(name for name, differs in others.items() if differs))
