"""A vLLM server as a process of ours: started, waited for until it answers, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serving.vllm.client import VllmClient
from serving.vllm.errors import EngineNotStarted
from serving.vllm.launch import Launch

_START_SECONDS: Final = 600.0
"""Loading a large model from a cold disk takes minutes."""
_STOP_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.25
_LAST_WORDS: Final = 3000


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """A server that answers."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid


@contextmanager
def running(
    launch: Launch, python: Path, log: Path, environment: Mapping[str, str], seconds: float = _START_SECONDS
) -> Iterator[RunningEngine]:
    """Run a server until the block ends; all that it says goes to `log`. Raises EngineNotStarted with its last words
    when it ends before it answers, or does not answer within `seconds`."""
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  (our own command line)
                launch.command(python),
                env=dict(launch.environment(environment)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise EngineNotStarted(f"vLLM cannot be started with {str(python)!r}: {error.strerror}") from error
    try:
        _await_health(process, launch, log, seconds)
        yield RunningEngine(launch.url, process)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server and the processes it has started: it is asked first, and killed when it does not come to an end."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # engine cores that outlived it


def _await_health(process: subprocess.Popen[bytes], launch: Launch, log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    with VllmClient(launch.url) as client:
        while not client.healthy():
            if process.poll() is not None:
                raise EngineNotStarted(f"vLLM ended with code {process.returncode}. {_remedy(log)}")
            if time.monotonic() > deadline:
                raise EngineNotStarted(f"vLLM did not answer within {seconds:.0f} s. {_remedy(log)}")
            time.sleep(_LOOK_SECONDS)


def _remedy(log: Path) -> str:
    """What can be done about it where that is known, and in any case what the server said last."""
    said = log.read_text(errors="replace")[-_LAST_WORDS:]
    if "No module named 'vllm" in said:
        return "This interpreter has no vLLM: name one that has with --python, or make one with `make .venv-vllm`."
    if "address already in use" in said.lower():
        return "The port is taken; choose another with --port."
    return f"Its last words, from {log}:\n{said}"
