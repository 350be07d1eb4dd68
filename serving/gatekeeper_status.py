"""What the gatekeeper last said of itself, as a file beside the publication: read without database or key."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from store.whole_file import replace_file

FILE_NAME: Final = "gatekeeper.json"
"""Its name in the folder `learned` of the state directory."""


class GatekeeperStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Counts are since the start of the process; times are Unix seconds. No content, no secret."""

    pid: int = 0
    updated: float = 0.0
    leads: bool = False
    """Whether it is the one of all hosts that compares."""
    compared: int = 0
    """Pairs."""
    waiting: int = 0
    """Trials that are queued."""
    requests_today: int = 0
    dollars_today: float = 0.0
    budget: str = ""
    """Why nothing is compared any more today; empty while it is."""
    servers: dict[str, str] = {}
    """What is wrong with which engine or upstream."""
    notes: dict[str, str] = {}
    """What understudies wait for."""
    unusable: dict[str, int] = {}
    """Calls that could not be compared, by reason."""
    faults: int = 0
    """Exceptions that nobody expected; each is in the log."""
    database_error: str = ""


def write_status(folder: Path, status: GatekeeperStatus) -> None:
    """Replace the file as a whole; raises OSError."""
    replace_file(folder / FILE_NAME, msgspec.json.encode(status))


def read_status(folder: Path) -> GatekeeperStatus | None:
    """What it said; None when it never said anything."""
    try:
        return msgspec.json.decode((folder / FILE_NAME).read_bytes(), type=GatekeeperStatus)
    except (OSError, msgspec.MsgspecError):
        return None
