"""The real `understudy serve` with its processes, on a folder of its own, beside a simulated upstream."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2
import psutil

from simulator.app import create_app
from simulator.latency import Latency
from simulator.server import RunningServer
from simulator.support_desk import SupportDesk
from store.lag import read_status

DEADLINE: Final = 180.0
FULL: Final = os.environ.get("UNDERSTUDY_CHAOS") == "full"
"""Whether the runs have the length that CONTRIBUTING promises, or one that fits into `make test`."""

UPSTREAM_KEY: Final = "sk-upstream-secret"

T = TypeVar("T")


def eventually(attempt: Callable[[], T | None], what: str, *, seconds: float = DEADLINE) -> T:
    """The first result that is neither None nor False; fails at the deadline."""
    until = time.monotonic() + seconds
    while not (result := attempt()):
        assert time.monotonic() < until, f"{what} did not come to pass within {seconds:.0f} s"
        time.sleep(0.05)
    return result


@contextmanager
def upstream() -> Iterator[str]:
    """Base URL of a simulated LLM whose streams take some tenths of a second."""
    latency = Latency(first_token=0.01, spread=0.3, tokens_per_second=400)
    with RunningServer(create_app(SupportDesk(), latency=latency)) as server:
        yield server.base_url


class Stage:
    """One deployment: a folder with configuration, state and SQLite file, and the server that runs on it."""

    def __init__(
        self,
        folder: Path,
        upstream_url: str,
        *,
        store: str = "sqlite:///understudy.db",
        log: str = "serve.log",
    ) -> None:
        self.folder = folder
        self.config = folder / "understudy.yaml"
        self.state = folder / "state"
        self.log = folder / log
        self.url = ""
        self._upstream = upstream_url
        self._store = store
        self._process: subprocess.Popen[bytes] | None = None
        self.write()

    def write(self, *lines: str, workers: int = 1, drain: str = "20s") -> None:
        """Replace the configuration file, as an editor does; `lines` follow the usual ones."""
        text = "\n".join(
            [
                "version: 1",
                f"server: {{port: 0, workers: {workers}, drain: {drain}}}",
                f'upstreams: {{llm: {{base_url: "{self._upstream}", api_key_env: STAGE_UPSTREAM_KEY}}}}',
                f'store: {{url: "{self._store}"}}',
                f'state_dir: "{self.state}"',
                *lines,
            ]
        )
        draft = self.config.with_suffix(".draft")
        draft.write_text(text + "\n")
        draft.replace(self.config)

    def start(self, *, terminal: bool = False, disk_bytes: int = 0) -> None:
        """Start the server and wait until it announces where it listens.

        With `terminal` its process group is its own, as a shell's foreground job; with `disk_bytes` its state folder is
        a disk of this size, which only the server sees."""
        command = [sys.executable, "-m", "cli.main", "serve", "--config", str(self.config)]
        if disk_bytes:
            mount = f'mount -t tmpfs -o size={disk_bytes} none "{self.state}" && exec "$@"'
            command = ["unshare", "-Urm", "/bin/sh", "-c", mount, "sh", *command]
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "STAGE_UPSTREAM_KEY": UPSTREAM_KEY},
                process_group=0 if terminal else None,
            )

        def announced() -> re.Match[str] | None:
            said = self.said(begin)
            assert self._process is not None
            assert self._process.poll() is None, f"the server ended at its start:\n{said}"
            return re.search(r"listening on (http://\S+)", said)

        self.url = eventually(announced, "an announcement")[1]

    def said(self, begin: int = 0) -> str:
        """The log from an offset on."""
        return self.log.read_bytes()[begin:].decode(errors="replace")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def pids(self, module: str) -> list[int]:
        """Processes of the server that run `cli.worker` or `cli.shipping`."""
        if self.process.poll() is not None:
            return []
        found = []
        for child in psutil.Process(self.process.pid).children():
            try:
                if module in child.cmdline():
                    found.append(child.pid)
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        return found

    def at_work(self, module: str) -> bool:
        """Whether all of these processes have said that they are at work."""
        if module == "cli.worker":
            said = {int(path.stem) for path in (self.state / "workers").glob("*.json")}
        else:
            status = read_status(self.state / "journal")
            said = {status.pid} if status else set()
        running = self.pids(module)
        return bool(running) and said.issuperset(running)

    def kill(self, module: str, pick: Callable[[list[int]], int]) -> int:
        """`kill -9` of one of these processes; waits until there is one."""
        victim = pick(eventually(lambda: self.pids(module), f"a running {module}"))
        os.kill(victim, signal.SIGKILL)
        return victim

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal to the parent, wait for its end, and return its exit code."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        code = self.process.wait(DEADLINE)
        _, alive = psutil.wait_procs(children, timeout=DEADLINE)
        assert not alive, f"left behind: {alive}"
        return code

    def end(self) -> None:
        """Whatever happened: nothing of it runs on."""
        if self._process is None or self._process.poll() is not None:
            return
        children = psutil.Process(self._process.pid).children(recursive=True)
        for each in (*children, psutil.Process(self._process.pid)):
            each.kill()
        self._process.wait()

    def stats(self, window: str = "all") -> dict[str, Any]:
        """What `/stats` says."""
        answer = httpx2.get(f"{self.url}/stats", params={"window": window}, timeout=30)
        assert answer.status_code == 200, answer.text
        report: dict[str, Any] = answer.json()
        return report

    def stored(self) -> list[str]:
        """Ids of the calls in the SQLite file, as headers write them."""
        with sqlite3.connect(self.folder / "understudy.db", timeout=30) as database:
            return [_shown(row[0]) for row in database.execute("SELECT id FROM calls")]

    def await_shipped(self) -> None:
        """Until nothing waits in the journal."""
        eventually(lambda: self.stats()["lag"]["bytes"] == 0, "an empty journal", seconds=2 * DEADLINE)


def _shown(call_id: bytes) -> str:
    text = call_id.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
