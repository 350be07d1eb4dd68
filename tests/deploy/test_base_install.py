"""The image installs the package with the `postgres` extra only: nothing may need what the other extras bring."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_RUN_WITHOUT = """
import runpy, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"{name!r} is not installed in the image", name=name)

ABSENT = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Absent())
runpy.run_module(sys.argv.pop(1), run_name="__main__")
"""


def closure(name: str, extras: frozenset[str]) -> set[str]:
    """Names of everything that installing a distribution brings, itself included."""
    found: set[str] = set()
    waiting = [(name, extras)]
    while waiting:
        current, chosen = waiting.pop()
        found.add(canonicalize_name(current))
        try:
            lines = requires(current) or []
        except PackageNotFoundError:  # not for this platform
            continue
        for requirement in map(Requirement, lines):
            wanted = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in ("", *chosen)
            )
            if wanted and (canonicalize_name(requirement.name) not in found or requirement.extras):
                waiting.append((requirement.name, frozenset(requirement.extras)))
    return found


@pytest.fixture(scope="module")
def absent() -> str:
    """Modules that are installed here and not in the image, separated by commas."""
    there = closure("understudy", frozenset({"postgres"}))
    here = packages_distributions()
    missing = {module for module, names in here.items() if not there & {canonicalize_name(n) for n in names}}
    assert {"pytest", "openai"} <= missing
    assert not {"fastapi", "psycopg", "cli"} & missing
    return ",".join(sorted(missing))


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("cli.main", ["--help"]),
        ("cli.main", ["serve", "--help"]),
        ("cli.worker", ["--help"]),
        ("cli.shipping", ["--help"]),
    ],
)
def test_the_processes_of_the_image_start(module: str, arguments: list[str], absent: str) -> None:
    command = [sys.executable, "-c", _RUN_WITHOUT, absent, module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
