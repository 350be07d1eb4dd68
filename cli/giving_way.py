"""Processes that may lag give way to those that an agent waits for."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

_SESSION: Final = Path("/proc/self/autogroup")


def give_way(niceness: int) -> None:
    """Make this process nicer, and its session too if it leads one.

    Linux shares the processor between sessions before it looks at processes (sched_autogroup): in a session of its own,
    as the supervisor's children are, a nice process would take as much as the workers."""
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(
            OSError
        ):  # another system, or a kernel without it: then niceness alone counts
            _SESSION.write_text(str(niceness))
