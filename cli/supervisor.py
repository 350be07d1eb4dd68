"""The parent process: binds the socket, starts workers and the shipper, restarts what dies, stops all in order.

The parent does no work of its own, so that it has no reason to die. Should it be killed all the same, its children see
the end of their lifeline pipe and stop by themselves.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

log = logging.getLogger("understudy.supervisor")

_POLL_SECONDS: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_STEADY_SECONDS: Final = 10.0
"""A child that ran this long is restarted at once."""
_GRACE_SECONDS: Final = 15.0
"""Beyond the drain time, before a child that does not stop is killed."""


@dataclass(slots=True)
class Child:
    """One process under supervision."""

    name: str
    command: Sequence[str]
    descriptors: Sequence[int]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 0.1
    restart_at: float = 0.0

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, pass_fds=list(self.descriptors))  # noqa: S603 - our own entry points
        self.started = time.monotonic()
        log.info("%s started (pid %d)", self.name, self.process.pid)

    def watch(self) -> None:
        """Notice an end, and start again after a pause that grows while the child keeps dying young."""
        if self.process is None:
            if time.monotonic() >= self.restart_at:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        young = time.monotonic() - self.started < _STEADY_SECONDS
        self.pause = min(self.pause * 2, _LONGEST_PAUSE) if young else 0.1
        self.restart_at = time.monotonic() + self.pause
        log.error("%s (pid %d) ended with code %d; it is started again", self.name, self.process.pid, code)
        self.process = None

    def stop(self, seconds: float) -> None:
        """Ask it to stop, wait, and kill it when it does not."""
        if self.process is None:
            return
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            log.error("%s (pid %d) did not stop in time and is killed", self.name, self.process.pid)
            self.process.kill()
            self.process.wait()
        self.process = None

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


@dataclass(slots=True)
class Supervisor:
    """Runs the workers and the shipper until a signal comes."""

    workers: list[Child]
    shipper: Child
    drain: float
    lifeline: int
    """Write end of the pipe that children watch; open as long as this process lives."""
    _stopping: bool = field(default=False, init=False)

    def run(self) -> None:
        """Start everything, and return when everything has stopped."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self.shipper.start()
        for worker in self.workers:
            worker.start()
        while not self._stopping:
            for child in (*self.workers, self.shipper):
                child.watch()
            time.sleep(_POLL_SECONDS)
        self._stop()

    def _on_signal(self, number: int, _frame: object) -> None:
        log.info("signal %s: stopping", signal.Signals(number).name)
        self._stopping = True

    def _stop(self) -> None:
        for worker in self.workers:
            worker.signal(signal.SIGTERM)
        for worker in self.workers:
            worker.stop(self.drain + _GRACE_SECONDS)
        # The shipper goes last, so that it ships what the workers wrote to their end.
        self.shipper.signal(signal.SIGTERM)
        self.shipper.stop(_GRACE_SECONDS * 2)
        os.close(self.lifeline)


def supervisor_for(config: Path | None, listener: socket.socket, *, workers: int, drain: float) -> Supervisor:
    """Prepare the processes of one server; `listener` is bound and listening."""
    lifeline_read, lifeline_write = os.pipe()
    listener_fd = listener.fileno()
    chosen = ["--config", str(config)] if config else []
    worker = [sys.executable, "-m", "cli.worker", *chosen, "--lifeline", str(lifeline_read)]
    shipper = [sys.executable, "-m", "cli.shipping", *chosen, "--lifeline", str(lifeline_read)]
    return Supervisor(
        workers=[
            Child(f"worker {number}", [*worker, "--listener", str(listener_fd)], [listener_fd, lifeline_read])
            for number in range(1, workers + 1)
        ],
        shipper=Child("shipper", shipper, [lifeline_read]),
        drain=drain,
        lifeline=lifeline_write,
    )
