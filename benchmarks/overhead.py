"""What the proxy costs: `python -m benchmarks.overhead [--quick] [--only rps,streams,memory,stats]`.

Prints tables and each required figure with its verdict, writes both to `.bench/overhead.md` and `.json`, and exits
with 1 when a figure is missed or could not be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.growth import growth
from benchmarks.machine import machine
from benchmarks.memory import memory
from benchmarks.part import Options, Part
from benchmarks.peers.environment import ROOT
from benchmarks.streams import streams
from benchmarks.table import table
from benchmarks.throughput import throughput

_PARTS: Final[dict[str, Callable[[Options], Part]]] = {
    "rps": throughput,
    "streams": streams,
    "memory": memory,
    "stats": growth,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the chosen parts; returns the exit code."""
    chosen = _parse(arguments)
    busy = os.getloadavg()[0]
    _raise_file_limit()
    parts: list[Part] = []
    with tempfile.TemporaryDirectory(prefix="understudy-bench-") as folder:
        Path(folder).chmod(0o755)  # nginx's workers leave root and still need their temporary files
        for name in chosen.only:
            print(f"--- {name}", flush=True)
            options = Options(
                folder=Path(folder) / name,
                rounds=1 if chosen.quick else chosen.rounds,
                seconds=3.0 if chosen.quick else chosen.seconds,
                quick=chosen.quick,
                peers=frozenset(chosen.peers.split("+")) if chosen.peers else None,
            )
            options.folder.mkdir()
            parts.append(_PARTS[name](options))
    report = _report(parts, quick=chosen.quick, busy=busy)
    print("\n" + report)
    _write(report, parts)
    return 0 if all(requirement.met for part in parts for requirement in part.requirements) else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overhead", description="What the proxy costs."
    )
    parser.add_argument("--only", type=_part_names, default=list(_PARTS), help=f"of {','.join(_PARTS)}")
    parser.add_argument("--quick", action="store_true", help="one short round, for development")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    parser.add_argument("--peers", help="servers to measure, joined by +, such as direct+nginx+understudy")
    return parser.parse_args(arguments)


def _part_names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in _PARTS:
            raise argparse.ArgumentTypeError(f"{name!r} is no part; the parts are {', '.join(_PARTS)}")
    return names


def _raise_file_limit() -> None:
    """A thousand streams need two thousand sockets in the proxy, which inherits this limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _report(parts: Sequence[Part], *, quick: bool, busy: float) -> str:
    sections = ["# What the proxy costs", f"{time.strftime('%Y-%m-%d %H:%M')}, {machine()}"]
    if quick:
        sections.append("**One short round, for development: not to be quoted.**")
    if busy > 0.5:
        sections.append(
            f"**The machine was busy when this began (load {busy:.1f}): what shares its cores slows every server, "
            "and those with the most processes the most.**"
        )
    for part in parts:
        sections += [f"## {part.title}", part.text]
    rows = [requirement.row() for part in parts for requirement in part.requirements]
    sections += ["## Required", table(("figure", "required", "measured", "verdict"), rows)]
    return "\n\n".join(sections)


def _write(report: str, parts: Sequence[Part]) -> None:
    ROOT.mkdir(exist_ok=True)
    (ROOT / "overhead.md").write_text(report + "\n")
    data = {part.title: part.data for part in parts}
    (ROOT / "overhead.json").write_text(json.dumps(data, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
