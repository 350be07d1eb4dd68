"""Our own commands as processes of their own: started, waited for until they listen, ended."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.context import fail

_LISTENING: Final = re.compile(r"listening on (http://\S+)")
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Started:
    """A server that listens."""

    url: str
    pid: int


@contextmanager
def started(arguments: Sequence[str], log: Path) -> Iterator[Started]:
    """Run `understudy ARGUMENTS` until the block ends; what it says goes to `log`. Exits with code 2 when it does not
    come up."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (our own command)
            [sys.executable, "-m", "cli.main", *arguments], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield Started(_await_listening(process, log), process.pid)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_listening(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while not (found := _LISTENING.search(log.read_text(errors="replace"))):
        if process.poll() is not None or time.monotonic() > deadline:
            fail(f"a process did not start; its last words:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
    return found[1]
