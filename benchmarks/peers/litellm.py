"""LiteLLM's proxy: one worker, no database, no callbacks, logging at errors only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.peers.environment import python_environment
from benchmarks.peers.peer import Served
from benchmarks.process import free_port, listening, running
from benchmarks.request import MODEL

_CONFIG: Final = """\
model_list:
  - model_name: {model}
    litellm_params: {{model: openai/{model}, api_base: {upstream}/v1, api_key: sk-benchmark}}
general_settings: {{dangerously_permit_weak_or_unset_master_key: true}}
litellm_settings: {{telemetry: false, set_verbose: false}}
"""

_ENVIRONMENT: Final = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


@dataclass(frozen=True, slots=True)
class LiteLlm:
    """The proxy as `litellm --config` starts it."""

    name: str = "LiteLLM"

    def install(self) -> None:
        python_environment("litellm", "litellm[proxy]")

    @contextmanager
    def serve(self, upstream: str, folder: Path) -> Iterator[Served]:
        binaries = python_environment("litellm", "litellm[proxy]")
        folder.mkdir(parents=True, exist_ok=True)
        config, port = folder / "litellm.yaml", free_port()
        config.write_text(_CONFIG.format(model=MODEL, upstream=upstream))
        command: list[str | Path] = [
            binaries / "litellm",
            "--config",
            config,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        with running(
            [*command, "--num_workers", "1", "--telemetry", "False"],
            log=folder / "output.log",
            ready=lambda: listening(port),
            seconds=120,
            environment=_ENVIRONMENT,
        ) as process:
            yield Served(f"http://127.0.0.1:{port}/v1/chat/completions", process)
