"""The parent process: binds the sockets, starts workers, shipper and what learns, restarts what dies, stops all in order.

The parent does no work of its own, so that it has no reason to die. Should it be killed all the same, its children see
the end of their lifeline pipe and stop by themselves. Children stand in sessions of their own: a Ctrl-C in the terminal
reaches the parent alone, which then stops them in order.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import orjson

from cli.context import EXIT_USAGE
from cli.in_force import InForce
from wire.tolerant import mapping

log = logging.getLogger("understudy.supervisor")

_POLL_SECONDS: Final = 0.1
_SHORTEST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_STEADY_SECONDS: Final = 10.0
"""A child that ran this long is restarted at once."""
_GRACE_SECONDS: Final = 15.0
"""Beyond the drain time, before a child that does not stop is killed."""
_PYTHON: Final = (sys.executable, "-P", "-m")
"""-P: a folder `config` or `proxy` where the server is started must not be taken for ours."""
_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(slots=True)
class Child:
    """One process under supervision."""

    name: str
    command: Sequence[str]
    descriptors: Sequence[int]
    due: Callable[[], bool] | None = None
    """It is not started before this holds; None starts it at once."""
    vital: bool = True
    """Whether the server is pointless without it."""
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = _SHORTEST_PAUSE
    restart_at: float = 0.0
    starts: int = 0
    hopeless: bool = False
    """It is vital, and its first start ended with the exit code for surroundings that must be put right by hand."""

    def start(self) -> None:
        """Start it; what the system refuses now (memory, processes) is tried again later."""
        self.starts += 1
        self.started = time.monotonic()
        try:
            self.process = subprocess.Popen(  # noqa: S603 - our own entry points
                self.command, pass_fds=list(self.descriptors), start_new_session=True
            )
        except OSError as error:
            log.error("%s cannot be started: %s; it is tried again", self.name, error.strerror)
            self._rest()
        else:
            log.info("%s started (pid %d)", self.name, self.process.pid)

    def begin(self) -> None:
        """Start it when it is time to."""
        if self.due is None or self.due():
            self.start()

    def watch(self) -> None:
        """Notice an end, and start again after a pause that grows while the child keeps dying young."""
        if self.process is None:
            if time.monotonic() >= self.restart_at:
                self.begin()
            return
        code = self.process.poll()
        if code is None:
            return
        if self.vital and self.starts == 1 and code == EXIT_USAGE:
            self.hopeless = True
            return
        log.error("%s (pid %d) %s; it is started again", self.name, self.process.pid, _ending(code))
        self._rest()

    def wait(self, seconds: float) -> None:
        """Wait for its end, and kill it when it does not come."""
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

    def _rest(self) -> None:
        young = time.monotonic() - self.started < _STEADY_SECONDS
        self.pause = min(self.pause * 2, _LONGEST_PAUSE) if young else _SHORTEST_PAUSE
        self.restart_at = time.monotonic() + self.pause
        self.process = None


@dataclass(slots=True)
class Supervisor:
    """Runs all processes of one server until a signal comes."""

    workers: list[Child]
    shipper: Child
    learning: list[Child]
    """What agents can do without, in the order in which it is stopped: head server, gatekeeper."""
    listener: socket.socket
    heads: socket.socket
    """Where the head server listens, bound here so that its address outlives it."""
    drain: float
    lifeline: int
    """Write end of the pipe that children watch; open as long as this process lives."""
    _stopping: bool = field(default=False, init=False)

    def run(self) -> int:
        """Start everything, and return the exit code when everything has stopped."""
        for number in _STOP_SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup's choice stands
                signal.signal(number, self._on_signal)
        children = (self.shipper, *self.workers, *self.learning)
        for child in children:
            child.begin()
        while not self._stopping and not self._hopeless:
            for child in children:
                child.watch()
            time.sleep(_POLL_SECONDS)
        self._stop()
        return EXIT_USAGE if self._hopeless else 0

    @property
    def _hopeless(self) -> bool:
        return any(child.hopeless for child in (self.shipper, *self.workers))

    def _on_signal(self, number: int, _frame: object) -> None:
        if self._stopping:
            log.warning("signal %s again: calls in flight are cut off", signal.Signals(number).name)
            for worker in self.workers:
                worker.signal(signal.SIGKILL)
            return
        log.info("signal %s: stopping", signal.Signals(number).name)
        self._stopping = True

    def _stop(self) -> None:
        self.listener.close()  # else connections that nobody will accept would wait in its queue
        for worker in self.workers:
            worker.signal(signal.SIGTERM)
        deadline = time.monotonic() + self.drain + _GRACE_SECONDS
        for worker in self.workers:
            worker.wait(max(0.0, deadline - time.monotonic()))
        for child in self.learning:
            child.signal(signal.SIGTERM)
            child.wait(_GRACE_SECONDS)
        self.heads.close()
        # The shipper goes last, so that it ships what the workers wrote to their end.
        self.shipper.signal(signal.SIGTERM)
        self.shipper.wait(_GRACE_SECONDS * 2)
        os.close(self.lifeline)


def supervisor_for(
    config: Path | None,
    in_force: InForce,
    listener: socket.socket,
    *,
    workers: int,
    drain: float,
    published: Path | None,
) -> Supervisor:
    """Prepare the processes of one server; `listener` is bound and listening.

    `published` is the file that says what is deployed; None leaves out the processes that learning takes."""
    lifeline_read, lifeline_write = os.pipe()
    heads = _loopback()
    chosen = ["--config", str(config)] if config else []
    common = [*chosen, "--lifeline", str(lifeline_read), "--in-force", str(in_force.fd)]
    common += ["--heads", f"http://127.0.0.1:{heads.getsockname()[1]}/v1"]
    shared = [lifeline_read, in_force.fd]

    def child(name: str, module: str, *sockets: socket.socket) -> Child:
        listening = [text for held in sockets for text in ("--listener", str(held.fileno()))]
        descriptors = [*(held.fileno() for held in sockets), *shared]
        return Child(name, [*_PYTHON, module, *common, *listening], descriptors)

    learning = []
    if published is not None:
        learning = [child("head server", "cli.heads", heads), child("gatekeeper", "cli.gatekeeping")]
        # Nothing to serve before the first understudy: a small install does without the process.
        learning[0].due = partial(_names_understudies, published)
    for beside in learning:
        beside.vital = False
    return Supervisor(
        workers=[child(f"worker {number}", "cli.worker", listener) for number in range(1, workers + 1)],
        shipper=child("shipper", "cli.shipping"),
        learning=learning,
        listener=listener,
        heads=heads,
        drain=drain,
        lifeline=lifeline_write,
    )


def _names_understudies(published: Path) -> bool:
    """Whether anything is deployed. The file is not verified: those who serve from it do that."""
    try:
        content = orjson.loads(published.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    return bool(mapping(mapping(content).get("publication")).get("deployments"))


def _loopback() -> socket.socket:
    """A free port of this machine's own, bound and not listening: until a server listens, connections are refused."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.bind(("127.0.0.1", 0))
    return bound


def _ending(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
