"""Segments whose writer has let go of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Final

from store.journal import FRESH_SUFFIX
from store.segment import SUFFIX

_STALE_SECONDS: Final = 60.0


def is_finished(path: Path) -> bool:
    """Whether a segment's writer has let go of it, for ever."""
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(fd)


def remove_stillborn(directory: Path) -> None:
    """Remove segments whose writer died before it could give them their name: they hold no record."""
    for path in directory.glob("*" + SUFFIX + FRESH_SUFFIX):
        with contextlib.suppress(FileNotFoundError):  # its writer has just given it its name
            if time.time() - path.stat().st_mtime > _STALE_SECONDS and is_finished(path):
                path.unlink()
