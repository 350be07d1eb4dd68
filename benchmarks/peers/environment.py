"""Environments of the peers: each has packages of its own, installed on first use below `.bench/`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.peers.peer import Absent

ROOT: Final = Path(__file__).resolve().parents[2] / ".bench"
"""Everything that benchmarks install or leave behind; git ignores it."""


def python_environment(name: str, *requirements: str) -> Path:
    """A virtual environment holding the requirements, as the path of its `bin`; raises Absent.

    It runs the same interpreter as ours, since builds of one version differ by a factor of two in speed."""
    folder = ROOT / name
    stamp = folder / "requirements.txt"
    wanted = "\n".join([sys.base_prefix, sys.version, *requirements])
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {', '.join(requirements)} into {folder} ...", flush=True)
        _install([sys.executable, "-m", "venv", "--clear", str(folder)])
        _install([str(folder / "bin" / "pip"), "install", "-q", *requirements])
        stamp.write_text(wanted)
    return folder / "bin"


def node_package(name: str, package: str) -> Path:
    """A folder with the package in its `node_modules`; raises Absent."""
    folder = ROOT / name
    installed = folder / "node_modules" / package.rpartition("@")[0]
    if not installed.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise Absent("npm is not installed")
        print(f"installing {package} into {folder} ...", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        _install([npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", package])
    return folder


def _install(command: Sequence[str]) -> None:
    try:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Absent(f"installing failed: {error}") from error
    if finished.returncode:
        last = (finished.stderr.strip() or finished.stdout.strip()).splitlines()[-1:]
        raise Absent(f"{Path(command[0]).name} failed with code {finished.returncode}: {''.join(last)[:200]}")
