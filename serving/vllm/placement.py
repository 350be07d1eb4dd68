"""Keeps adapters where they should be: on every server of an engine, and on none that they have left.

A server forgets its adapters when it restarts, and a remote one may come and go; so nothing is remembered here about
what is loaded. Every look asks the servers, and puts right what differs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from serving.vllm.client import ServedModel, VllmClient
from serving.vllm.errors import EngineAway, EngineRefused

_LOG: Final = logging.getLogger(__name__)
_FIRST_WAIT: Final = 5.0
_LONGEST_WAIT: Final = 300.0

Where = tuple[str, str]
"""A server's URL, and the name of an adapter."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What a look found and did."""

    loaded: Sequence[Where] = ()
    unloaded: Sequence[Where] = ()
    failed: Mapping[Where, str] = field(default_factory=dict)
    """Adapters that are wanted and not there, with the reason; they are tried again, less and less often."""
    away: Mapping[str, str] = field(default_factory=dict)
    """Servers that could not be asked, by URL, with the reason."""

    @property
    def complete(self) -> bool:
        """Whether every server has everything that is wanted."""
        return not self.failed and not self.away


class Placement:
    """The adapters of one engine's servers.

    `owned` is the folder of our artifacts: adapters from anywhere else are somebody else's, and left alone."""

    def __init__(
        self, servers: Sequence[VllmClient], owned: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._servers = servers
        self._owned = owned.resolve()
        self._clock = clock
        self._patience: dict[Where, _Patience] = {}

    def keep(self, wanted: Mapping[str, Path]) -> Placed:
        """Load what is wanted (names to folders) and missing, give up what is ours and not wanted any more.

        Never raises for a server that is away, dies in the middle or refuses an adapter: that is in the result, and the
        next look tries again."""
        seen = _Seen()
        for server in self._servers:
            try:
                self._look(server, wanted, seen)
            except (EngineAway, EngineRefused) as error:
                seen.away[server.url] = str(error)
        for place in [place for place in self._patience if place[1] not in wanted]:
            del self._patience[place]
        return Placed(tuple(seen.loaded), tuple(seen.unloaded), seen.failed, seen.away)

    def _look(self, server: VllmClient, wanted: Mapping[str, Path], seen: _Seen) -> None:
        there = server.models()
        for name, model in there.items():
            if name not in wanted and self._ours(model):
                server.unload_adapter(name)
                seen.unloaded.append((server.url, name))
                _LOG.info("%s: adapter %s unloaded", server.url, name)
        for name, folder in wanted.items():
            if name not in there or (there[name].adapter and Path(there[name].folder) != folder.resolve()):
                self._load(server, name, folder.resolve(), seen)

    def _load(self, server: VllmClient, name: str, folder: Path, seen: _Seen) -> None:
        place = (server.url, name)
        patience = self._patience.get(place)
        if patience is not None and patience.folder == folder and self._clock() < patience.until:
            seen.failed[place] = patience.reason
            return
        try:
            server.load_adapter(name, folder)
        except EngineRefused as error:
            self._refused(place, folder, str(error))
            seen.failed[place] = str(error)
        else:
            self._patience.pop(place, None)
            seen.loaded.append(place)
            _LOG.info("%s: adapter %s loaded", server.url, name)

    def _refused(self, place: Where, folder: Path, reason: str) -> None:
        """Wait before the next try: an adapter that does not fit the base model will not fit in a second either."""
        before = self._patience.get(place)
        wait = _FIRST_WAIT if before is None else min(2 * before.wait, _LONGEST_WAIT)
        self._patience[place] = _Patience(folder, reason, wait, self._clock() + wait)
        _LOG.warning("adapter %s was not loaded, next try in %.0f s: %s", place[1], wait, reason)

    def _ours(self, model: ServedModel) -> bool:
        return model.adapter and Path(model.folder).is_relative_to(self._owned)


@dataclass(frozen=True, slots=True)
class _Patience:
    """An adapter that a server refused, and until when it is not offered again."""

    folder: Path
    reason: str
    wait: float
    until: float


@dataclass(slots=True)
class _Seen:
    """What a look gathers."""

    loaded: list[Where] = field(default_factory=list)
    unloaded: list[Where] = field(default_factory=list)
    failed: dict[Where, str] = field(default_factory=dict)
    away: dict[str, str] = field(default_factory=dict)
