"""What is deployed, for commands that decide like the workers of a running server do."""

from __future__ import annotations

import os
from pathlib import Path

from cli.context import fail, key_file
from config.load import Configuration
from proxy.published import Published
from proxy.recogniser import open_recogniser
from router.learned import Learned
from serving.publication import PublicationError, read_publication
from store.artifacts import ArtifactStore
from store.errors import StoreError
from store.keyring import KeyRing


def published(configuration: Configuration) -> Learned | None:
    """The learned router that is published now; None where there is none. Ends the command when it cannot be used."""
    if not configuration.settings.learning.enabled or not configuration.published.exists():
        return None
    try:
        ring = KeyRing.load(key_file(configuration), os.environ)
        publication = read_publication(configuration.published, ring)
        if not publication.router:
            return None
        artifacts = ArtifactStore(configuration.artifacts, ring)
        recogniser = open_recogniser(artifacts, Path(publication.router))
    except (PublicationError, StoreError, ValueError) as error:
        fail(f"what was learned cannot be used: {error}; see understudy doctor")
    return Published(publication, recogniser).learned
