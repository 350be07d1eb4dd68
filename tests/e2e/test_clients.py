"""Agent frameworks as clients, each in its own process and environment, with a loop that runs a tool."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.heard import check_heard, check_log
from tests.e2e.house import House
from tests.outside import ROOT, frameworks_python, kept_inside

pytestmark = pytest.mark.clients


@pytest.fixture
def surroundings() -> Iterator[dict[str, str]]:
    """The environment of a client's process."""
    with kept_inside() as environment:
        yield environment


@pytest.fixture(scope="session")
def clients_python() -> Path:
    """The interpreter of the environment that holds the frameworks."""
    return frameworks_python()


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("script", "conversations"),
    [
        ("with_openai_agents", 4),
        ("with_langchain", 3),
        ("with_pydantic_ai", 4),
        ("with_litellm", 2),
        ("with_anthropic", 2),
    ],
)
def test_frameworks_run_their_tool_loops(
    script: str, conversations: int, house: House, clients_python: Path, surroundings: dict[str, str]
) -> None:
    session = uuid.uuid4().hex
    places = [house.proxy_url, f"through-{session}", house.llm_url, f"straight-{session}"]
    done = subprocess.run(
        [clients_python, "-m", f"tests.e2e.clients.{script}", *places],
        cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    through, straight = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    assert through == straight
    assert len(through) == conversations
    check_heard(through)
    check_log(house, session, 2 * conversations)
