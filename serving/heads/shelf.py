"""The heads that are deployed now: loaded and dropped as the published file says, without a restart."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.encoders.errors import EncoderError
from serving.encoders.ladder import Encoders
from serving.heads.errors import HeadError
from serving.heads.head import Head
from serving.publication import Deployment, PublicationError, read_publication
from store.artifacts import ArtifactStore
from store.errors import ArtifactError
from store.keyring import KeyRing

log = logging.getLogger("understudy.heads")

_SERVED = ("shadow", "canary5", "canary25", "live")


@dataclass(frozen=True, slots=True)
class _Loaded:
    files: str
    head: Head


class Shelf:
    """Heads by model name. What cannot be loaded is logged once, and what was served under its name stays."""

    def __init__(
        self,
        published: Path,
        artifacts: ArtifactStore,
        ring: KeyRing,
        encoders: Encoders,
        engines: frozenset[str],
    ) -> None:
        self._published = published
        self._artifacts = artifacts
        self._ring = ring
        self._encoders = encoders
        self._engines = engines
        self._loaded: dict[str, _Loaded] = {}
        self._seen: tuple[int, int, int] | None = None
        self._complaints: dict[str, str] = {}

    @property
    def heads(self) -> Mapping[str, Head]:
        """By the name that requests call them."""
        return {name: loaded.head for name, loaded in self._loaded.items()}

    @property
    def complaints(self) -> Mapping[str, str]:
        """What is wrong now, by model name; the published file stands under its own."""
        return dict(self._complaints)

    def get(self, model: str) -> Head | None:
        """The head of a name; None when there is none."""
        loaded = self._loaded.get(model)
        return loaded.head if loaded else None

    def refresh(self) -> bool:
        """Read the published file again when it changed, or when something failed before; whether heads changed."""
        stamp = _stamp(self._published)
        if stamp == self._seen and not self._complaints:
            return False
        try:
            publication = read_publication(self._published, self._ring)
        except PublicationError as error:
            self._complain(self._published.name, str(error))
            return False
        self._settle(self._published.name)
        self._seen = stamp
        wanted = {
            each.model: each
            for each in publication.deployments
            if each.engine in self._engines and each.state in _SERVED
        }
        return self._put(wanted)

    def _put(self, wanted: Mapping[str, Deployment]) -> bool:
        before = {name: loaded.files for name, loaded in self._loaded.items()}
        for name in [name for name in self._loaded if name not in wanted]:
            del self._loaded[name]
            log.info("head %s is no longer served", name)
        for name in [
            name for name in self._complaints if name not in wanted and name != self._published.name
        ]:
            self._settle(name)
        for name, deployment in wanted.items():
            if before.get(name) != deployment.files:
                self._load(name, deployment.files)
        return before != {name: loaded.files for name, loaded in self._loaded.items()}

    def _load(self, name: str, files: str) -> None:
        try:
            artifact = self._artifacts.open(Path(files))
            head = Head.load(artifact.read, self._encoders)
        except (ArtifactError, EncoderError, HeadError) as error:
            kept = " (the one before stays)" if name in self._loaded else ""
            self._complain(name, f"{error}{kept}")
            return
        self._settle(name)
        self._loaded[name] = _Loaded(files, head)
        log.info("head %s is served, on the encoder %s", name, head.encoder)

    def _complain(self, name: str, message: str) -> None:
        if self._complaints.get(name) != message:
            self._complaints[name] = message
            log.error("%s: %s", name, message)

    def _settle(self, name: str) -> None:
        self._complaints.pop(name, None)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
