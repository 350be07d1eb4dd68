"""Load from wrk, read back as numbers."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.peers.peer import Served
from benchmarks.request import AUTHORIZATION, chat_body

_SCRIPT: Final = Path(__file__).with_name("post.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw."""

    connections: int
    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    errors: int
    """Answers other than 2xx and 3xx, and broken connections: a run with any is void."""

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def load(
    served: Served, folder: Path, *, connections: int, seconds: float, large: tuple[int, int] | None = None
) -> Load:
    """Post the benchmark's request for `seconds`; `large` is (every, bytes): each such request is that much longer."""
    small_file = folder / "request.json"
    small_file.write_bytes(chat_body(served.model))
    arguments = [str(small_file), f"Authorization: {AUTHORIZATION}"]
    if large is not None:
        every, padding = large
        large_file = folder / "request-large.json"
        large_file.write_bytes(chat_body(served.model, padding=padding))
        arguments.append(f"{every}={large_file}")
    arguments += [f"{name}: {value}" for name, value in served.headers]
    # One thread: on a small machine a second one would take its core from the server under measurement.
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "20s"]
    finished = subprocess.run(
        [*command, "-s", str(_SCRIPT), served.url, "--", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return _parse(finished.stdout, finished.stderr, connections)


def _parse(output: str, complaint: str, connections: int) -> Load:
    for line in output.splitlines():
        if line.startswith("RESULT "):
            result = json.loads(line.removeprefix("RESULT "))
            errors = result.pop("status") + result.pop("socket")
            return Load(connections=connections, errors=errors, **result)
    raise RuntimeError(f"wrk printed no result: {(output + complaint).strip()[-400:]!r}")
