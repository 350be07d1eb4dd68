"""Whether the time of `/stats` grows with the log: a thousand calls against a million, over the same thirty days."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from benchmarks.part import Options, Part
from benchmarks.peers.peer import Served
from benchmarks.peers.understudy import Understudy
from benchmarks.process import DidNotStart
from benchmarks.requirement import Requirement
from benchmarks.table import table
from benchmarks.thirty_days import fill

_WINDOWS: Final = ("1h", "24h", "7d", "30d", "all")
_FEW: Final = 1_000
_MANY: Final = 1_000_000


def growth(options: Options) -> Part:
    """Fill two databases, serve both, and ask them in turn."""
    many = 20_000 if options.quick else _MANY
    sizes = (_FEW, many)
    folders = {size: options.folder / str(size) for size in sizes}
    seconds = {size: fill(folder, size) for size, folder in folders.items()}
    try:
        medians = _ask(folders, 20 if options.quick else 100)
    except (DidNotStart, OSError, HTTPException, ValueError) as error:
        return Part("Time of /stats", f"**understudy**: {error}", [_requirement(None)])
    rows = [
        [window, *(f"{medians[size][window]:.2f}" for size in sizes), f"{_times(medians, sizes, window):.2f}"]
        for window in _WINDOWS
    ]
    filled = f"{many:,} calls were stored in {seconds[many]:.0f} s, most of what was said in them many times."
    return Part(
        title="Time of /stats",
        text=table(("window", *(f"{size:,} calls, ms" for size in sizes), "times"), rows) + "\n\n" + filled,
        requirements=[_requirement(max(_times(medians, sizes, window) for window in _WINDOWS))],
        data={"medians_ms": {str(size): times for size, times in medians.items()}},
    )


def _times(medians: dict[int, dict[str, float]], sizes: tuple[int, int], window: str) -> float:
    few, many = sizes
    return medians[many][window] / medians[few][window]


def _requirement(figure: float | None) -> Requirement:
    return Requirement(
        "time of /stats with 10^6 calls, of that with 10^3 (worst window)", figure, 2, "at most", "x"
    )


def _ask(folders: dict[int, Path], times: int) -> dict[int, dict[str, float]]:
    """Median milliseconds by size and window, the servers asked alternately."""
    taken: dict[int, dict[str, list[float]]] = {size: {window: [] for window in _WINDOWS} for size in folders}
    with ExitStack() as stack:
        # Nothing is proxied here, so the upstream's address need not answer.
        servers = {
            size: stack.enter_context(Understudy().serve("http://127.0.0.1:9", folder))
            for size, folder in folders.items()
        }
        for served in servers.values():
            _await_stats(served)
        for _ in range(times):
            for window in _WINDOWS:
                for size, served in servers.items():
                    taken[size][window].append(_timed(served, window))
    return {
        size: {window: median(values) for window, values in windows.items()}
        for size, windows in taken.items()
    }


def _await_stats(served: Served) -> None:
    """Servers listen before their workers serve."""
    deadline = time.monotonic() + 30
    while True:
        try:
            _timed(served, "all")
        except (OSError, HTTPException):
            if time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(0.2)


def _timed(served: Served, window: str) -> float:
    parts = urlsplit(served.url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.connect()
    started = time.perf_counter()
    connection.request("GET", f"/stats?window={window}&by=task")
    response = connection.getresponse()
    body = response.read()
    taken = (time.perf_counter() - started) * 1000
    connection.close()
    if response.status != 200:
        raise HTTPException(f"/stats answered {response.status}: {body[:200]!r}")
    json.loads(body)
    return taken
