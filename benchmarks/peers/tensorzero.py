"""TensorZero's Rust gateway, started in process by its Python package, observability off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.peers.environment import python_environment
from benchmarks.peers.peer import Served
from benchmarks.process import running
from benchmarks.request import MODEL

_LAUNCHER: Final = Path(__file__).with_name("tensorzero_launcher.py")

_CONFIG: Final = """\
[gateway]
observability.enabled = false

[models."{model}"]
routing = ["local"]

[models."{model}".providers.local]
type = "openai"
model_name = "{model}"
api_base = "{upstream}/v1/"
api_key_location = "none"
"""


@dataclass(frozen=True, slots=True)
class TensorZero:
    """The gateway on as many threads as it takes (it has no setting for them)."""

    name: str = "TensorZero"

    def install(self) -> None:
        python_environment("tensorzero", "tensorzero==2026.6.*")

    @contextmanager
    def serve(self, upstream: str, folder: Path) -> Iterator[Served]:
        binaries = python_environment("tensorzero", "tensorzero==2026.6.*")
        folder.mkdir(parents=True, exist_ok=True)
        config, address = folder / "tensorzero.toml", folder / "address"
        config.write_text(_CONFIG.format(model=MODEL, upstream=upstream))
        address.unlink(missing_ok=True)
        # -P keeps this folder, whose file names shadow the packages', off the path.
        command: list[str | Path] = [binaries / "python", "-P", _LAUNCHER, config, address]
        with running(command, log=folder / "output.log", ready=address.exists) as process:
            yield Served(
                f"{address.read_text()}/chat/completions", process, model=f"tensorzero::model_name::{MODEL}"
            )
