"""The seam that every measured server stands behind."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from benchmarks.request import MODEL


class Absent(Exception):
    """A peer that cannot be had here; the message says why, for the table."""


@dataclass(frozen=True, slots=True)
class Served:
    """Where a running server takes chat completions, and how they must be put to it."""

    url: str
    """Of chat completions."""
    process: psutil.Process
    model: str = MODEL
    headers: tuple[tuple[str, str], ...] = ()


class Peer(Protocol):
    """A server that can be put before an upstream."""

    @property
    def name(self) -> str:
        """As it stands in the table."""
        ...

    def install(self) -> None:
        """Make it runnable, the first time from a package index; raises Absent."""
        ...

    def serve(self, upstream: str, folder: Path) -> AbstractContextManager[Served]:
        """Run it before the upstream at that URL (such as `http://127.0.0.1:9000`, `/v1` follows), keeping its
        files in `folder`; raises DidNotStart."""
        ...
