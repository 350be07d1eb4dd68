"""Portkey's open-source gateway on Node, told its provider by headers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.peers.environment import node_package
from benchmarks.peers.peer import Absent, Served
from benchmarks.process import free_port, listening, running

_PACKAGE: Final = "@portkey-ai/gateway@1.15"


@dataclass(frozen=True, slots=True)
class Portkey:
    """The gateway as its start script runs it, without the console."""

    name: str = "Portkey"

    def install(self) -> None:
        if shutil.which("node") is None:
            raise Absent("node is not installed")
        node_package("portkey", _PACKAGE)

    @contextmanager
    def serve(self, upstream: str, folder: Path) -> Iterator[Served]:
        installed = node_package("portkey", _PACKAGE)
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        script = installed / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
        command: list[str | Path] = [shutil.which("node") or "node", script, "--headless", f"--port={port}"]
        with running(command, log=folder / "output.log", ready=lambda: listening(port)) as process:
            headers = (("x-portkey-provider", "openai"), ("x-portkey-custom-host", f"{upstream}/v1"))
            yield Served(f"http://127.0.0.1:{port}/v1/chat/completions", process, headers=headers)
