"""A server under measurement: started, awaited, weighed, and always stopped by its pid."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


class DidNotStart(Exception):
    """A server that ended, or did not listen in time; the message quotes the end of its log."""


def free_port() -> int:
    """A TCP port of the loopback interface that nothing holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    log: Path,
    ready: Callable[[], bool],
    seconds: float = 60.0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[psutil.Process]:
    """Run a server for the length of the block; raises DidNotStart when `ready` stays false for `seconds`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
    try:
        _await(process, ready, log, seconds)
        yield psutil.Process(process.pid)
    finally:
        _stop(process)


def _await(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            what = f"ended with code {process.returncode}" if ended else f"not ready after {seconds:.0f} s"
            tail = log.read_text(errors="replace")[-600:].strip()
            raise DidNotStart(f"{Path(str(process.args[0])).name}: {what}: {tail}")  # type: ignore[index]
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(45)
    for straggler in family:
        with suppress(psutil.NoSuchProcess):
            straggler.kill()
    if process.poll() is None:
        process.kill()
        process.wait()


def tree(root: psutil.Process) -> list[psutil.Process]:
    """The process and all its descendants that are still there."""
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def resident(processes: Sequence[psutil.Process]) -> int:
    """Resident memory of the processes together, in bytes; pages they share count once for each."""
    total = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


def processor_seconds(processes: Sequence[psutil.Process]) -> float:
    """User and system time that the processes have spent so far, together."""
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total
