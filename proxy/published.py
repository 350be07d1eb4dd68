"""What was learned, as this worker uses it: watched in one file, verified, loaded, and put in force as a whole.

It polls like the configuration's watcher does. What cannot be trusted or read changes nothing: the last good router
and deployments stay, and the reason is told. Where only the recogniser's artifact is bad, the deployments still take
effect with the recogniser before it, so that nothing keeps a demotion from being seen.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from router.learned import Learned, Proposal
from router.learned_router import LearnedRouter
from router.recognition import Recogniser
from serving.publication import Deployment, Publication, PublicationError
from store.errors import StoreError

log = logging.getLogger("understudy.learned")

POLL_SECONDS: Final = 0.5

Stamp = tuple[int, int, int]
"""Inode, size and modification time of a file."""

_ABSENT: Final[Stamp] = (-1, -1, -1)


class LearnedStatus(msgspec.Struct, frozen=True):
    """What a worker says of what it has learned."""

    version: str = ""
    """Of the publication in force; empty while nothing was published."""
    router: str = ""
    """Version of the recogniser in force."""
    loaded: float | None = None
    """Unix time at which they came into force."""
    error: str | None = None
    """Why what is published now is not in force, or not all of it."""
    deployments: dict[str, int] = {}
    """How many understudies are in each state."""


@dataclass(frozen=True, slots=True)
class Published:
    """One publication, ready to be put in force."""

    publication: Publication = field(default_factory=Publication)
    recogniser: Recogniser | None = None

    @property
    def learned(self) -> Learned | None:
        """The router made of it; None while no call can be recognised."""
        if self.recogniser is None:
            return None
        return LearnedRouter(self.recogniser, map(_proposal, self.publication.deployments))


class PublishedWatcher:
    """Holds what is in force and replaces it when the published file changes; nothing it does raises.

    `read` verifies and reads the file, `recogniser` the artifact that it names; both may raise PublicationError,
    StoreError, OSError and ValueError. `on_change` is called on the event loop."""

    def __init__(
        self,
        path: Path,
        read: Callable[[Path], Publication],
        recogniser: Callable[[Path], Recogniser],
        on_change: Callable[[Published], None],
        poll: float = POLL_SECONDS,
    ) -> None:
        self.current = Published()
        self._path = path
        self._read_file = read
        self._open_recogniser = recogniser
        self._on_change = on_change
        self._poll = poll
        self._read = _ABSENT
        self._loaded: float | None = None
        self._error: str | None = None

    def status(self) -> LearnedStatus:
        """What is in force, and what is wrong with what should be."""
        publication, recogniser = self.current.publication, self.current.recogniser
        return LearnedStatus(
            version=publication.version,
            router=recogniser.version if recogniser else "",
            loaded=self._loaded,
            error=self._error,
            deployments=dict(Counter(one.state for one in publication.deployments)),
        )

    def look(self) -> None:
        """Read the file now when it is another than last time: what a worker does before its first call."""
        stamp = _stamp(self._path)
        if stamp != self._read:
            self._read = stamp
            self._take(*self._load())

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(self._poll)
            stamp = await asyncio.to_thread(_stamp, self._path)
            if stamp != self._read:
                self._read = stamp
                self._take(*await asyncio.to_thread(self._load))

    def _take(self, fresh: Published, error: str | None) -> None:
        if error is not None and error != self._error:
            log.error("what was learned is not wholly in force: %s", error)
        self._error = error
        if fresh is self.current:
            return
        self.current = fresh
        self._loaded = time.time()
        self._on_change(fresh)
        told = self.status()
        log.info("learned %s is in force (router %s): %s", told.version, told.router, told.deployments or "-")

    def _load(self) -> tuple[Published, str | None]:
        """What is to be in force from now on, and what is wrong."""
        if self._read == _ABSENT:
            return self.current, f"{str(self._path)!r} is gone; what it said last stays in force"
        try:
            publication = self._read_file(self._path)
        except Exception as error:  # noqa: BLE001  whatever a bad file does, the last good one stays
            return self.current, _told(error)
        before = self.current
        if publication.router == before.publication.router and before.recogniser is not None:
            return Published(publication, before.recogniser), None
        if not publication.router:
            return Published(publication), None
        try:
            return Published(publication, self._open_recogniser(Path(publication.router))), None
        except Exception as error:  # noqa: BLE001  the same for its artifact
            kept = msgspec.structs.replace(publication, router=before.publication.router)
            return Published(kept, before.recogniser), _told(error)


def _proposal(deployment: Deployment) -> Proposal:
    return Proposal(
        task=deployment.task,
        understudy=deployment.understudy,
        agreement=deployment.agreement,
        confidence=deployment.confidence,
        state=deployment.state,
        share=deployment.share,
        threshold=deployment.threshold,
    )


def _told(error: Exception) -> str:
    """An error of ours says in its message what is wrong; of others the type must do, for they may quote content."""
    if isinstance(error, PublicationError | StoreError):
        return str(error)
    log.debug("loading failed", exc_info=error)
    return f"it cannot be loaded ({type(error).__name__})"


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return _ABSENT
    return found.st_ino, found.st_size, found.st_mtime_ns
