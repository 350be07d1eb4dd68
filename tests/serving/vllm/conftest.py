"""A real vLLM server, one for all tests of this folder, on a model made on the spot; and a server that plays one, whose
faults can be chosen."""

from __future__ import annotations

import json
import os
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest

from serving.vllm.client import VllmClient
from serving.vllm.launch import Launch
from serving.vllm.process import running
from tests.tiny_base import tiny_base

PYTHON = Path(__file__).parents[3] / ".venv-vllm" / "bin" / "python"
RANK = 8
COMPACT = ("--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}')
"""Flags without which an adapter of random weights may say nothing but blanks, which a schema allows."""
_TRIES = 5
Answered = TypeVar("Answered")
_NOT_HERE = "VLLM IS NOT INSTALLED (make .venv-vllm/.installed): its tests are skipped"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly when nothing was tested against vLLM itself."""
    if not PYTHON.exists():
        terminalreporter.section(_NOT_HERE, sep="#", red=True)


def steady(ask: Callable[[], Answered], whole: Callable[[Answered], bool]) -> Answered:
    """Ask again while vLLM joins tokens of a stream into one chunk, as it does for a reader that a busy machine holds up.
    The last answer is returned whatever it is, so that a difference which stays is seen."""
    found = ask()
    for _ in range(_TRIES):
        if whole(found):
            break
        found = ask()
    return found


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model of a few thousand weights, hardly trained."""
    pytest.importorskip("torch")
    return tiny_base(tmp_path_factory.mktemp("base"), steps=2, batch=4)


@pytest.fixture(scope="session")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter for it that changes what it says, the same whichever tests came before."""
    peft = pytest.importorskip("peft")
    pytest.importorskip("torch").manual_seed(0)
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("artifacts") / "adapter"
    config = peft.LoraConfig(
        r=RANK, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
    )
    with warnings.catch_warnings(
        action="ignore", category=FutureWarning
    ):  # peft uses what transformers gives up
        model = peft.get_peft_model(transformers.AutoModelForCausalLM.from_pretrained(base), config)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def server(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmClient]:
    """A client of a vLLM server that serves the base."""
    if not PYTHON.exists():
        pytest.skip(_NOT_HERE)
    launch = Launch(
        model=str(base),
        name="base",
        port=free_port(),
        context=1024,
        rank=RANK,
        sequences=8,
        on_cpu=True,
        flags=(
            "--enable-auto-tool-choice",
            "--tool-call-parser",
            "hermes",
            *COMPACT,
        ),
    )
    log = tmp_path_factory.mktemp("vllm") / "vllm.log"
    with running(launch, PYTHON, log, os.environ) as engine, VllmClient(f"{engine.url}/v1") as client:
        yield client


@dataclass
class Played:
    """A server that answers as vLLM does, as far as adapters go."""

    url: str = ""
    adapters: dict[str, str] = field(default_factory=dict)
    refuse: set[str] = field(default_factory=set)
    """Adapters that it refuses."""
    die_at: str = ""
    """The adapter in whose loading it breaks off."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Paths and adapters of what it was asked to change."""


@pytest.fixture
def played() -> Iterator[Played]:
    state = Played()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


def _handler(state: Played) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            adapters = [{"id": name, "root": root, "parent": "base"} for name, root in state.adapters.items()]
            self._say(200, {"data": [{"id": "base", "root": "/models/base", "parent": None}, *adapters]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            name = body["lora_name"]
            state.asked.append((self.path, name))
            if name == state.die_at:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if name in state.refuse:
                self._say(400, {"error": {"message": "LoRA rank 64 is greater than max_lora_rank 16."}})
                return
            if self.path == "/v1/load_lora_adapter":
                state.adapters[name] = body["lora_path"]
            else:
                del state.adapters[name]
            self._say(200, {})

        def _say(self, status: int, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            """Nothing: pytest's output is for tests."""

    return Handler
