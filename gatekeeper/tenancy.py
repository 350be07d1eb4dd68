"""Under which name a gatekeeper holds its lease: the one before it on this host held it under the same, so that a killed
one is succeeded at once."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from pathlib import Path
from typing import Final

FILE_NAME: Final = "gatekeeper.lock"


class Tenancy:
    """The name kept in a folder's lock file, if no living process uses it; else one of its own."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = -1
        fresh = f"{socket.gethostname()[:40]}-{secrets.token_hex(6)}"
        self.holder = self._kept(folder / FILE_NAME, fresh) or fresh

    def _kept(self, path: Path, fresh: str) -> str:
        """Take the lock, which ends with the process; empty when another process has it."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return ""
        self._descriptor = descriptor
        name = os.pread(descriptor, 64, 0).decode("ascii", "replace").strip()
        if not name:
            os.pwrite(descriptor, fresh.encode(), 0)
        return name or fresh

    def close(self) -> None:
        """Let the next process have the name."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
