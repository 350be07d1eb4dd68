"""`understudy demo` as its user starts it: a process of its own, of which only the output is known."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/dashboard")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Demonstration:
    """A demonstration that runs in a folder."""

    process: subprocess.Popen[bytes]
    folder: Path
    output: Path
    seen: list[psutil.Process] = field(default_factory=list)

    @property
    def said(self) -> str:
        """What the terminal has shown so far, without colours."""
        text = self.output.read_text(errors="replace") if self.output.exists() else ""
        return _CONTROL.sub("", text).replace("\r", "")

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
        """Everything that it has started and that still runs; left_behind() remembers them."""
        running = list(psutil.Process(self.process.pid).children(recursive=True))
        self.seen.extend(running)
        return running

    def left_behind(self) -> list[psutil.Process]:
        """Of the processes that were seen, those that still run."""
        return [each for each in self.seen if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]

    def stop(self) -> int:
        """End it as Ctrl-C in its terminal does; returns its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(_STOP_SECONDS)


@contextmanager
def demonstrated(folder: Path, *arguments: str) -> Iterator[Demonstration]:
    """Start `understudy demo` in a folder, in a terminal of its own; whatever of it is left in the end is killed."""
    output = folder / "terminal.txt"
    ours, its = pty.openpty()
    heeded = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # else Ctrl-C is lost on it in a background
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "demo", *arguments],
            cwd=folder, env={**os.environ, **_TERMINAL}, stdin=its, stdout=its, stderr=its, start_new_session=True,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, heeded)
        os.close(its)
    copying = threading.Thread(target=_copy, args=(ours, output))
    copying.start()
    demonstration = Demonstration(process, folder, output)
    try:
        yield demonstration
    finally:
        if process.poll() is None:
            for each in (*demonstration.processes(), process):
                each.kill()
            process.wait()
        copying.join()
        os.close(ours)


_TERMINAL = {"PYTHONPATH": str(Path(__file__).parents[1]), "TERM": "xterm", "COLUMNS": "160", "LINES": "60"}


def _copy(terminal: int, output: Path) -> None:
    """Write down what is shown, until nobody has the terminal open any more."""
    with (
        output.open("wb", buffering=0) as file,
        suppress(OSError),
    ):  # how Linux says that the other side is closed
        while shown := os.read(terminal, 65536):
            file.write(shown)
