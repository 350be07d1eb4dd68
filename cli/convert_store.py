"""What `understudy convert` works with: the opened store, and the failures that end it with one clear line."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from cli.ability import ability
from cli.context import Store, fail, open_store, plain_errors
from cli.convert_progress import TerminalListener
from config.load import Configuration
from config.settings import Settings
from conversion.run import ConversionError
from conversion.surroundings import Ability, Stores, Surroundings
from store.artifacts import ArtifactStore
from store.calls import Calls
from store.database import upgrade
from store.deployments import Deployments
from store.feedback import Feedback
from store.keyring import DIGEST, Sealer
from store.routers import Routers
from store.tasks import Tasks


class Around:
    """An opened store, and what a conversion needs beside it."""

    def __init__(
        self, store: Store, artifacts: ArtifactStore, ability: Ability, listener: TerminalListener
    ) -> None:
        self.store = store
        self._artifacts = artifacts
        self._ability = ability
        self._listener = listener

    @property
    def settings(self) -> Settings:
        return self.store.configuration.settings

    def stores(self) -> Stores:
        """What is stored."""
        engine, ring = self.store.engine, self.store.ring
        sealer = Sealer(ring)
        return Stores(
            calls=Calls(engine, sealer, ring.active.derive(DIGEST)),
            tasks=Tasks(engine, sealer),
            deployments=Deployments(engine),
            routers=Routers(engine),
            feedback=Feedback(engine, sealer),
            artifacts=self._artifacts,
            ring=ring,
        )

    def surroundings(self) -> Surroundings:
        """Everything a conversion works with."""
        folder = self.settings.state_dir / "conversion"
        return Surroundings(self.stores(), self._ability, folder, self._listener)


def artifacts_folder(configuration: Configuration) -> Path:
    """Where data sets, routers and trained models are."""
    settings = configuration.settings
    return settings.learning.artifacts or settings.state_dir / "artifacts"


@contextlib.contextmanager
def opened(config: Path | None, *, quiet: bool) -> Iterator[Around]:
    """Opens the store; whatever stops a conversion ends the command with one clear line."""
    with open_store(config) as store, plain_errors(), _clear_failures(), TerminalListener(quiet) as listener:
        upgrade(store.configuration.settings.store.url)
        artifacts = ArtifactStore(artifacts_folder(store.configuration), store.ring)
        with ability(store.configuration, os.environ, artifacts, listener) as able:
            yield Around(store, artifacts, able, listener)


@contextlib.contextmanager
def _clear_failures() -> Iterator[None]:
    try:
        yield
    except ConversionError as error:
        fail(str(error))
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "free some space" if full else "put that right"
        place = f" at {error.filename!r}" if error.filename else ""
        fail(f"{error.strerror or error}{place}; {remedy}, and run this again: it goes on where it stopped")
