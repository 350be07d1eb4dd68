"""The official npm SDK through the proxy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.heard import check_heard, check_log
from tests.e2e.house import House

SOURCE = Path(__file__).parent / "node"
INSTALLED = Path(__file__).parents[2] / ".cache" / "node-client"

pytestmark = pytest.mark.clients


@pytest.fixture(scope="session")
def script() -> Path:
    """The script beside an installed SDK, which is fetched on first use."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"no npm SDK: {program} is not installed")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "weather.mjs"):
        shutil.copy(SOURCE / name, INSTALLED)
    wanted = json.loads((SOURCE / "package.json").read_text())["dependencies"]["openai"]
    manifest = INSTALLED / "node_modules" / "openai" / "package.json"
    if not manifest.exists() or json.loads(manifest.read_text())["version"] != wanted:
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"],
            cwd=INSTALLED,
            check=True,
            timeout=300,
        )
    return INSTALLED / "weather.mjs"


def hold(script: Path, base_url: str, session: str) -> list[dict[str, Any]]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        ["node", script, base_url, session], env=kept, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    printed: list[dict[str, Any]] = json.loads(done.stdout)
    return printed


@pytest.mark.timeout(400)
def test_the_npm_sdk_runs_its_tool_loops(house: House, script: Path) -> None:
    session = uuid.uuid4().hex
    through = hold(script, house.proxy_url, f"through-{session}")
    assert through == hold(script, house.llm_url, f"straight-{session}")
    *conversations, models = through
    assert len(conversations) == 3
    check_heard(conversations)
    assert "gpt-4o-mini" in models["models"]
    check_log(house, session, 6, others=1)
