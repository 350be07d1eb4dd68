"""A real head server process over a state directory of the test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from cli.context import key_file
from cli.in_force import InForce
from config.load import load
from serving.publication import FILE_NAME, Deployment, Publication, publish
from store.artifacts import ArtifactStore
from store.keyring import KeyRing

ROOT = Path(__file__).parents[3]
DEADLINE = 30.0


@dataclass(slots=True)
class House:
    """The state directory, and the server that watches it."""

    state: Path
    artifacts: ArtifactStore
    ring: KeyRing
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def publish(self, *deployments: Deployment) -> None:
        """Say what is deployed."""
        publish(self.state / "learned" / FILE_NAME, Publication("v", "", deployments), self.ring)

    def models(self) -> list[str]:
        """What the server lists."""
        listed = httpx2.get(f"{self.url}/v1/models", trust_env=False).json()
        return [each["id"] for each in listed["data"]]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until it holds."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def serve(self, deployments: Sequence[Deployment]) -> None:
        """Publish, and wait until the server has them."""
        self.publish(*deployments)
        wanted = sorted(each.model for each in deployments)
        self.wait_for(lambda: self.models() == wanted)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    path = tmp_path / "understudy.yaml"
    path.write_text('version: 1\nupstreams: {llm: {base_url: "http://127.0.0.1:9/v1"}}\nstate_dir: state\n')
    configuration = load(path, {})
    state = configuration.settings.state_dir
    (state / "learned").mkdir(parents=True)
    ring = KeyRing.load(key_file(configuration), {})
    in_force = InForce.create(configuration)
    lifeline, held = os.pipe()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    log = tmp_path / "heads.log"
    command = [sys.executable, "-P", "-m", "cli.heads", "--config", str(path)]
    command += [
        "--in-force",
        str(in_force.fd),
        "--lifeline",
        str(lifeline),
        "--listener",
        str(listener.fileno()),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            pass_fds=[in_force.fd, lifeline, listener.fileno()],
            stderr=output,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    house = House(state, ArtifactStore(configuration.artifacts, ring), ring, url, process, log)
    try:
        house.wait_for(lambda: _up(url))
        yield house
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listener.close()
        for descriptor in (in_force.fd, lifeline, held):
            os.close(descriptor)


def _up(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health", trust_env=False).is_success
    except httpx2.TransportError:
        return False
