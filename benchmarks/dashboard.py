"""Whether the dashboard stays quick: `python -m benchmarks.dashboard [--calls N] [--times N] [--folder FOLDER]`.

Serves a log of a thousand calls and one of a million, over the same thirty days, and asks both in turn for everything
that the overview asks for, and the larger one for what the other pages ask. Exits with 1 when the overview takes more
than twice as long with the million, or when any other request takes more than a second.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import quote, urlsplit

from benchmarks.machine import machine
from benchmarks.peers.peer import Served
from benchmarks.peers.understudy import Understudy
from benchmarks.requirement import Requirement
from benchmarks.table import table
from benchmarks.thirty_days import DAYS, FAILED, RARE, fill

_FEW: Final = 1_000
_MANY: Final = 1_000_000
_WINDOWS: Final = ("1h", "24h", "7d", "30d", "all")
_OVERVIEW: Final = ("/stats", "/stats/timeline", "/tasks", "/changes")
_SECOND_MS: Final = 1000
_PATIENCE: Final = 60.0

Medians = Mapping[str, float]
"""Milliseconds by request."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dashboard", description="Whether the dashboard stays quick."
    )
    parser.add_argument("--calls", type=int, default=_MANY, help="calls in the larger log")
    parser.add_argument("--times", type=int, default=50, help="how often each request is made")
    parser.add_argument("--folder", type=Path, default=None, help="keep the logs here, and use them again")
    options = parser.parse_args(arguments)
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="understudy-bench-") as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folders = {size: folder / str(size) for size in (_FEW, options.calls)}
        for size, each in folders.items():
            if not each.exists():
                fill(each, size)
        few, many = _measure(folders, options.times)
    requirements = _requirements(few, many)
    print(_told(options.calls, few, many, busy))
    print(table(("figure", "required", "measured", "verdict"), [each.row() for each in requirements]))
    return 0 if all(requirement.met for requirement in requirements) else 1


def _measure(folders: Mapping[int, Path], times: int) -> tuple[Medians, Medians]:
    """The overview's medians with the smaller log, and everything's with the larger one; both are asked alternately."""
    with ExitStack() as stack:
        # Nothing is proxied here, so the upstream's address need not answer.
        servers = [
            stack.enter_context(Understudy().serve("http://127.0.0.1:9", folder))
            for folder in folders.values()
        ]
        small, large = [stack.enter_context(_Visitor(served)) for served in servers]
        taken: list[dict[str, list[float]]] = [{}, {}]
        for _ in range(times):
            for path in _overview():
                for visitor, place in zip((small, large), taken, strict=True):
                    place.setdefault(path, []).append(visitor.timed(path))
        others = _others(large)
        for _ in range(max(3, times // 10)):
            for path in others:
                taken[1].setdefault(path, []).append(large.timed(path))
        few, many = ({path: median(values) for path, values in each.items()} for each in taken)
        return few, many


def _overview() -> Iterator[str]:
    yield "/dashboard"
    for window in _WINDOWS:
        for path in _OVERVIEW:
            yield f"{path}?window={window}"


def _others(visitor: _Visitor) -> list[str]:
    """What the other pages ask for, searches for what is rare or not there among it."""
    newest = visitor.asked("/calls?limit=50")["calls"]
    rare = visitor.asked(f"/calls?task={RARE}")["calls"]
    task, call = quote("task-3"), newest[0]["id"]
    return [
        "/tasks?window=30d",
        f"/tasks/{task}?window=30d",
        f"/tasks/{task}/samples?limit=12",
        "/calls?limit=50",
        f"/calls?limit=50&before={rare[0]['id']}",
        "/calls?limit=50&route=slm",
        f"/calls?limit=50&task={task}",
        f"/calls?limit=50&task={RARE}",
        f"/calls?limit=50&task={task}&status={FAILED}",
        "/calls?limit=50&task=unheard-of",
        "/calls?limit=50&model=unheard-of",
        "/calls?limit=50&rule=extract&route=upstream",
        f"/calls?limit=50&status={FAILED}",
        "/calls?limit=50&status=418",
        f"/calls?limit=50&session={newest[0]['session']}",
        "/calls?limit=50&session=unheard-of",
        f"/calls/{call}",
        "/metrics",
    ]


class _Visitor:
    """Asks one server over one connection."""

    def __init__(self, served: Served) -> None:
        parts = urlsplit(served.url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE)

    def __enter__(self) -> _Visitor:
        """Servers listen before their workers serve."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self.asked("/stats?window=all")
            except (OSError, HTTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def asked(self, path: str) -> Any:
        """What the server says."""
        return json.loads(self._get(path))

    def timed(self, path: str) -> float:
        """Milliseconds until its last byte is here."""
        began = time.perf_counter()
        self._get(path)
        return (time.perf_counter() - began) * 1000

    def _get(self, path: str) -> bytes:
        try:
            self._connection.request("GET", path)
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, HTTPException):
            self._connection.close()
            raise
        if response.status != 200:
            raise HTTPException(f"{path} answered {response.status}: {body[:200]!r}")
        return body


def _visit(medians: Medians, window: str) -> float:
    """What one visit of the overview takes: the page, and everything that it asks for."""
    return medians["/dashboard"] + sum(medians[f"{path}?window={window}"] for path in _OVERVIEW)


def _requirements(few: Medians, many: Medians) -> list[Requirement]:
    times = max(_visit(many, window) / _visit(few, window) for window in _WINDOWS)
    slowest = max(median for path, median in many.items() if path not in few)
    return [
        Requirement("overview with 10^6 calls, of that with 10^3 (worst window)", times, 2, "at most", "x"),
        Requirement("slowest request of the other pages", slowest, _SECOND_MS, "at most", " ms"),
    ]


def _told(calls: int, few: Medians, many: Medians, busy: float) -> str:
    header = ("the overview asks for", f"{_FEW:,} calls, ms", f"{calls:,} calls, ms", "times")
    rows = [[path, f"{few[path]:.2f}", f"{many[path]:.2f}", f"{many[path] / few[path]:.2f}"] for path in few]
    for window in _WINDOWS:
        small, large = _visit(few, window), _visit(many, window)
        rows.append([f"one visit, {window}", f"{small:.2f}", f"{large:.2f}", f"{large / small:.2f}"])
    others = [[path, f"{took:.2f}"] for path, took in many.items() if path not in few]
    taken = (
        f"{time.strftime('%Y-%m-%d %H:%M')}, {machine()}, load {busy:.1f} at the start. Calls of {DAYS} days in SQLite; "
        "medians, as a client on the same machine sees them."
    )
    tables = table(header, rows), table(("other pages ask for", f"{calls:,} calls, ms"), others)
    return "\n\n".join(("# The dashboard with a long log", taken, *tables, ""))


if __name__ == "__main__":
    sys.exit(main())
