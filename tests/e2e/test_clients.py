"""Agent frameworks as clients, each in its own process and environment, with a loop that runs a tool."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.heard import check_heard, check_log
from tests.e2e.house import House

ROOT = Path(__file__).parents[2]
SILENCED = {
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OTEL_SDK_DISABLED": "true",
}

pytestmark = pytest.mark.clients


@pytest.fixture
def surroundings() -> Iterator[dict[str, str]]:
    """The environment of a client's process. Whatever it might send elsewhere goes to a proxy that must not be asked."""
    with socket.create_server(("127.0.0.1", 0)) as outside:
        url = f"http://127.0.0.1:{outside.getsockname()[1]}"
        proxies = {"HTTP_PROXY": url, "HTTPS_PROXY": url, "ALL_PROXY": url, "NO_PROXY": "127.0.0.1"}
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        yield {**kept, **proxies, **SILENCED}
        assert not select.select([outside], [], [], 0)[0], (
            "a client tried to reach something beyond this machine"
        )


@pytest.fixture(scope="session")
def clients_python() -> Path:
    """The interpreter of the environment that holds the frameworks."""
    python = Path(os.environ.get("UNDERSTUDY_CLIENTS_PYTHON") or ROOT / ".venv-clients" / "bin" / "python")
    if not python.exists():
        pytest.skip(
            f"no agent frameworks: {python} is not there; `make test` makes it, or name one in UNDERSTUDY_CLIENTS_PYTHON"
        )
    return python


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
