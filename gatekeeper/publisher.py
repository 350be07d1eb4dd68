"""Says to workers and head servers what is deployed: one signed file, written anew whenever anything changed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec

from router.gate.scorers.by_kind import Kind
from router.gate.states import SHARES, State
from serving.publication import Deployment, Publication, publish
from store.deployments import AT_WORK, DeploymentRow
from store.keyring import KeyRing
from store.routers import CurrentRouter

log = logging.getLogger("understudy.gatekeeper")


class Publisher:
    """Writes one file. While the database is away nothing is written, so what it said last stays in force."""

    def __init__(self, path: Path, ring: KeyRing) -> None:
        self._path = path
        self._ring = ring
        self._last: Publication | None = None

    def publish(self, rows: Sequence[DeploymentRow], router: CurrentRouter | None) -> bool:
        """Publish what is deployed; returns whether that changed anything. Raises PublicationError."""
        publication = publication_of(rows, router)
        if publication == self._last and self._path.exists():
            return False
        changed = publish(self._path, publication, self._ring)
        self._last = publication
        if changed:
            log.info("published %s: %d understudies", publication.version, len(publication.deployments))
        return changed


def publication_of(rows: Sequence[DeploymentRow], router: CurrentRouter | None) -> Publication:
    """What the database says is deployed, in the order in which understudies came."""
    deployed = tuple(_deployment(row) for row in rows if row.state in AT_WORK)
    publication = Publication(router=router.path if router else "", deployments=deployed)
    version = hashlib.sha256(msgspec.json.encode(publication)).hexdigest()[:12]
    return msgspec.structs.replace(publication, version=version)


def _deployment(row: DeploymentRow) -> Deployment:
    state = cast("State", row.state)
    return Deployment(
        understudy=row.understudy,
        task=row.task,
        kind=cast("Kind", row.kind),
        state=state,
        engine=row.engine,
        model=row.model,
        files=row.files,
        share=SHARES[state],
        threshold=row.threshold,
        agreement=row.agreement,
        confidence=row.confidence,
    )
