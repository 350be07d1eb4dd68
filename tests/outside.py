"""Processes of third-party clients: their environment, in which nothing beyond this machine is reached."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SILENCED: Mapping[str, str] = {
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OTEL_SDK_DISABLED": "true",
}


@contextmanager
def kept_inside() -> Iterator[dict[str, str]]:
    """The environment of a client's process. Whatever it might send elsewhere goes to a proxy that must not be asked."""
    with socket.create_server(("127.0.0.1", 0)) as outside:
        url = f"http://127.0.0.1:{outside.getsockname()[1]}"
        proxies = {"HTTP_PROXY": url, "HTTPS_PROXY": url, "ALL_PROXY": url, "NO_PROXY": "127.0.0.1"}
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        yield {**kept, **proxies, **SILENCED}
        assert not select.select([outside], [], [], 0)[0], (
            "a client tried to reach something beyond this machine"
        )


def frameworks_python() -> Path:
    """The interpreter of the environment that holds the agent frameworks; skips the test where there is none."""
    python = Path(os.environ.get("UNDERSTUDY_CLIENTS_PYTHON") or ROOT / ".venv-clients" / "bin" / "python")
    if not python.exists():
        pytest.skip(
            f"no agent frameworks: {python} is not there; `make test` makes it, or name one in UNDERSTUDY_CLIENTS_PYTHON"
        )
    return python
