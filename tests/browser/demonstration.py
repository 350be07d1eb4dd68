"""`understudy demo` as its user starts it: a process of its own, of which only the output is known."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/dashboard")
_STOP_SECONDS = 120.0


@dataclass(frozen=True)
class Demonstration:
    """A demonstration that runs in a folder."""

    process: subprocess.Popen[bytes]
    folder: Path
    output: Path

    @property
    def said(self) -> str:
        """What stands in the terminal so far."""
        return self.output.read_text(errors="replace")

    @property
    def configuration(self) -> Path:
        """The file that its proxy runs on."""
        return self.folder / ".demo" / "run" / "understudy.yaml"

    def url(self, patience: float = 60.0) -> str:
        """The proxy's address, once it is printed."""
        deadline = time.monotonic() + patience
        while not (found := _ADDRESS.search(self.said)):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)
        return found[1]

    def processes(self) -> list[psutil.Process]:
        """Everything that it has started and that still runs."""
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """End it as Ctrl-C in its terminal does; returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(_STOP_SECONDS)


@contextmanager
def demonstrated(folder: Path, *arguments: str) -> Iterator[Demonstration]:
    """Start `understudy demo` in a folder; whatever of it is left in the end is killed."""
    output = folder / "terminal.txt"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200"}
    heeded = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # else Ctrl-C is lost on it in a background
    try:
        with output.open("wb") as terminal:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "demo", *arguments], cwd=folder, env=environment,
                stdout=terminal, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, heeded)
    demonstration = Demonstration(process, folder, output)
    try:
        yield demonstration
    finally:
        if process.poll() is None:
            for each in (*demonstration.processes(), process):
                each.kill()
            process.wait()
