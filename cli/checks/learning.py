"""What was learned: the published file and the router that it names, both signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cli.checks.finding import Finding, ok, problem
from config.load import Configuration
from serving.publication import PublicationError, read_publication
from store.artifacts import ArtifactStore
from store.errors import ArtifactError
from store.keyring import KeyRing

_CHECK = "learning"


def check_learning(configuration: Configuration, ring: KeyRing | None) -> Iterator[Finding]:
    """Whether workers can trust what is deployed; `ring` are the master keys, None where there are none yet."""
    if ring is None or not configuration.settings.learning.enabled:
        return
    try:
        publication = read_publication(configuration.published, ring)
        if publication.router:
            ArtifactStore(configuration.artifacts, ring).open(Path(publication.router))
    except (PublicationError, ArtifactError) as error:
        yield problem(
            _CHECK, str(error), "workers keep the last good one; run understudy convert to make a new one"
        )
        return
    if not publication.router:
        yield ok(_CHECK, "nothing learned yet; understudy convert finds the tasks once there is traffic")
        return
    answering = sum(deployment.share > 0 for deployment in publication.deployments)
    yield ok(
        _CHECK, f"router and {len(publication.deployments)} understudies deployed, {answering} answering"
    )
