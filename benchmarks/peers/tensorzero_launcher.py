"""Runs in TensorZero's own environment: starts the gateway and writes its address to a file.

The package has no command for a standalone gateway; `patch_openai_client` starts one on a port of its choosing and
sets the client's `base_url`. Any object serves as the client.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import tensorzero  # type: ignore[import-not-found]


def main(config: str, address: str) -> None:
    """Serve until a signal ends the process."""
    client = tensorzero.patch_openai_client(
        SimpleNamespace(base_url=""), config_file=config, async_setup=False
    )
    written = Path(address).with_suffix(".part")
    written.write_text(str(client.base_url).rstrip("/"))
    written.rename(address)
    signal.sigwait([signal.SIGTERM, signal.SIGINT])


if __name__ == "__main__":
    main(*sys.argv[1:])
