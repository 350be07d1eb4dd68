"""The fast upstream: nginx answering every POST with one canned chat.completion from memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.peers.nginx import nginx
from benchmarks.peers.peer import Served
from benchmarks.process import free_port
from benchmarks.request import completion

# `return` discards the request's body, which still has to be read off the socket before the next request.
_CANNED: Final = """\
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /v1/chat/completions {{ return 200 '{body}'; }}
  }}
"""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A running upstream."""

    url: str
    """Its root; `/v1` follows."""
    process: psutil.Process


@contextmanager
def canned_upstream(folder: Path) -> Iterator[Upstream]:
    """Run the canned upstream for the length of the block."""
    body = completion().decode()
    if "'" in body or "$" in body or "\\" in body:
        raise ValueError(
            "the canned completion holds a quote, a dollar or a backslash, which nginx would read"
        )
    port = free_port()
    with nginx(_CANNED.format(port=port, body=body), folder, port=port) as process:
        yield Upstream(f"http://127.0.0.1:{port}", process)


@dataclass(frozen=True, slots=True)
class Direct:
    """No proxy at all: what everything else is compared with."""

    process: psutil.Process
    """Of the upstream."""
    name: str = "direct"

    def install(self) -> None:
        """Nothing to install."""

    @contextmanager
    def serve(self, upstream: str, folder: Path) -> Iterator[Served]:
        yield Served(f"{upstream}/v1/chat/completions", self.process)
