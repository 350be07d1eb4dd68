"""The configuration in force, shared by the processes of one server.

A process that is started again must not begin with what the file says at that moment: the file may be broken, or name
another database, which waits for a restart of the whole. It begins with what the others run on, and its watcher then
reads the file like theirs do. The settings stand in a file without a name, since `${VAR}` is replaced in them and
what a variable holds belongs on no disk.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from config.load import Configuration, configuration
from config.settings import Settings

_DIGEST_BYTES: Final = 32


class InForce:
    """Settings in an unnamed file that children inherit; `fd` is its descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def create(cls, first: Configuration) -> InForce:
        """Make the file, with the configuration that the server starts with."""
        created = cls(_unnamed_file())
        created.put(first)
        return created

    def put(self, current: Configuration) -> None:
        """Tell the other processes that come later what is in force now."""
        text = current.written.model_dump_json().encode()
        with self._locked():
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, hashlib.sha256(text).digest() + text, 0)

    def take(self, path: Path | None, environ: Mapping[str, str]) -> Configuration | None:
        """The configuration in force, as of the file `path`; None when its writer was killed while writing."""
        with self._locked():
            content = os.pread(self.fd, os.fstat(self.fd).st_size, 0)
        digest, text = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(text).digest() != digest:
            return None
        return configuration(Settings.model_validate_json(text), environ, path=path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.lockf(
            self.fd, fcntl.LOCK_EX
        )  # a lock of the process: the descriptor is one and the same in all
        try:
            yield
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("understudy-configuration")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
