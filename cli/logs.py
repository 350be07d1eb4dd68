"""How every process of a server logs: one line an event, to standard error."""

from __future__ import annotations

import logging
import sys
from typing import Final

FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure() -> None:
    """Set logging up, once per process."""
    logging.basicConfig(level=logging.INFO, format=FORMAT, stream=sys.stderr)
    for chatty in ("alembic", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
