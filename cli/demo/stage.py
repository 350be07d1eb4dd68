"""The processes of a demonstration, and the configuration that they run on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from cli.context import fail
from cli.processes import Started, started

FOLDER: Final = Path(".demo")

_CONFIGURATION: Final = """\
# Written by `understudy demo`. A real one names your LLM API; see docs/configuration.md.
# To be done within minutes it asks for less than the defaults: an understudy passes from 5% to 25% of sessions and on to
# all after {calls} answered calls each (50), of which {audits} were compared (20), and half of what it answers is compared.
version: 1
server: {{port: {port}}}
upstreams:
  simulated-llm: {{base_url: "{llm}/v1"}}
{engines}
prices:
  "gpt-4o*": {{input: 0.15, cached_input: 0.075, output: 0.60}}
defaults: {{route: auto, min_agreement: 0.95, confidence: 0.95, audit: 50%}}
learning: {{min_examples: 100, canary_calls: {calls}, canary_audits: {audits}, shadow_requests: 1000000{learning}}}
rules:
  - name: plans stay with the LLM
    when: {{system: "You are the lead of a support desk*"}}
    route: upstream
"""
CANARY_CALLS: Final = 16
CANARY_AUDITS: Final = 8


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs, and where."""

    folder: Path
    proxy: Started
    llm: Started
    configuration: Path

    def ask(self, path: str, **query: str) -> dict[str, Any]:
        """A control page of the proxy, as JSON."""
        answer: dict[str, Any] = httpx2.get(f"{self.proxy.url}{path}", params=query, timeout=30).json()
        return answer

    def understudy(self, *arguments: str, log: str) -> None:
        """Run `understudy ARGUMENTS` on this configuration to its end; exits with code 2 when it fails."""
        path = self.folder / log
        with path.open("wb") as output:
            command = [sys.executable, "-m", "cli.main", *arguments, "--config", str(self.configuration)]
            ended = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)  # noqa: S603
        if ended.returncode:
            said = path.read_text(errors="replace")[-2000:]
            fail(f"`understudy {' '.join(arguments)}` ended with code {ended.returncode}:\n{said}")


@contextmanager
def staged(
    *, llm: Sequence[str], speed: float, seed: int, port: int = 0, engines: str = "", learning: str = ""
) -> Iterator[Stage]:
    """Start the simulated LLM (`understudy simulate` with these arguments) and the proxy in a fresh folder; both end with
    the block. `engines` is the configuration's section of that name, `learning` what follows in its section
    `learning`."""
    folder = FOLDER / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        simulated = ["simulate", "--port", "0", "--speed", str(speed), "--seed", str(seed), *llm]
        model = stack.enter_context(started(simulated, folder / "llm.log"))
        configuration = folder / "understudy.yaml"
        configuration.write_text(
            _CONFIGURATION.format(
                llm=model.url,
                port=port,
                engines=engines,
                learning=learning,
                calls=CANARY_CALLS,
                audits=CANARY_AUDITS,
            )
        )
        proxy = stack.enter_context(started(["serve", "--config", str(configuration)], folder / "proxy.log"))
        yield Stage(folder, proxy, model, configuration)
