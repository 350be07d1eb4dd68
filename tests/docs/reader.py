"""A reader who does what a page says, in a folder where the proxy has been at work."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from tests.docs.blocks import Block, Command

DEADLINE = 60.0
NOT_RUN: Mapping[str, str] = {
    ".venv/bin/python -m benchmarks": "takes half an hour and measures; CI runs it nightly",
    "/opt/understudy/bin/": "installs into the system",
    "cp deploy/env.example": "needs Docker; tests/deploy reads the file",
    "docker compose": "needs Docker; tests/deploy holds the file to what Docker's schema asks",
    "install -": "installs into the system; tests/deploy starts the proxy on that configuration",
    "python3 -m venv": "installs into the system",
    "understudy demo --trace": "takes minutes; tests/cli/test_demo.py runs it",
    "systemctl": "needs systemd; tests/deploy reads the unit with systemd-analyze",
    "understudy engine start": "needs vLLM and a model; tests/serving/vllm starts both",
}
"""Beginnings of commands that are not executed, each with the reason. A command that is neither here nor executed does
not exist."""
UNTIL_STOPPED = ("understudy serve", "understudy simulate", "understudy stats --watch")
"""Commands that run until they are stopped: they are, once they have said something."""
ILLUSTRATED: Mapping[str, str] = {
    "understudy rules backtest": "its figures are of a larger log; their names are compared",
}
"""Commands whose output differs from what the page shows."""
_VARIES = (
    (re.compile(r"\b[0-9a-f]{12}\b"), "VERSION"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class Reader:
    """Executes the blocks of one page, in its folder and with its environment."""

    folder: Path
    environment: Mapping[str, str]
    replaced: Mapping[str, str]
    """What stands in the pages, and what is used in its place: addresses and folders."""
    asked: Callable[[], int]
    """How many requests the simulated LLM has had."""

    def save(self, block: Block) -> None:
        """Write the file that a block is."""
        (self.folder / block.title).write_text(self.here(block.text), encoding="utf-8")

    def here(self, text: str) -> str:
        """A text of the page with what is used in this folder."""
        for shown, used in self.replaced.items():
            text = text.replace(shown, used)
        return text

    def python(self, block: Block, interpreter: Path = Path(sys.executable)) -> None:
        """Run a program; one that names the proxy has to reach the LLM through it."""
        script = self.folder / "block.py"
        script.write_text(self.here(block.text), encoding="utf-8")
        before = self.asked()
        done = subprocess.run(
            [interpreter, script], cwd=self.folder, env=dict(self.environment), capture_output=True, text=True,
            timeout=DEADLINE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block.place}:\n{done.stdout}{done.stderr}"
        if ":8400" in block.text:
            assert self.asked() > before, f"{block.place} did not reach the LLM"

    def type(self, command: Command, place: str) -> None:
        """Type a command; its output has to be what the page shows, where it shows some."""
        if any(command.typed.startswith(beginning) for beginning in NOT_RUN):
            assert not command.shown, f"{place}: shows output that nothing checks"
            return
        typed = self.here(command.typed)
        if typed.startswith("make "):
            typed = typed.replace("make ", "make --dry-run --no-print-directory --directory=$ROOT ", 1)
        stopped = typed.startswith(UNTIL_STOPPED)
        output, code = self._until_it_speaks(typed) if stopped else self._run(typed)
        failing = bool(command.shown) and re.search(r":\d+:\d+: ", command.shown[0])
        assert code == (2 if failing else 0), f"{place}: {command.typed}\nended with {code}\n{output}"
        if typed.startswith("make "):
            assert not command.shown, f"{place}: shows output that nothing checks"
        self._compare(command, output, place)

    def _compare(self, command: Command, output: str, place: str) -> None:
        said = _plain(output)
        lines = _names(command.shown) if command.typed.startswith(tuple(ILLUSTRATED)) else command.shown
        for line in lines:
            assert _plain(line) in said, (
                f"{place}: {command.typed}\nthe page shows: {line}\nit says:\n{output}"
            )

    def _run(self, typed: str) -> tuple[str, int]:
        done = subprocess.run(
            ["bash", "-c", typed], cwd=self.folder, env=dict(self.environment), text=True, timeout=DEADLINE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        return done.stdout, done.returncode

    def _until_it_speaks(self, typed: str) -> tuple[str, int]:
        """Run until there is output and then as Ctrl-C does; returns 0 where the command ends as it should then."""
        with _interruptible(), subprocess.Popen(
            ["bash", "-c", f"exec {typed}"], cwd=self.folder, env=dict(self.environment), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            watchdog = Timer(DEADLINE, os.killpg, (process.pid, signal.SIGKILL))
            watchdog.start()
            first = process.stdout.readline()
            while "listening" not in first and "replacement" not in first:
                line = process.stdout.readline()
                assert line, f"{typed} said neither that it listens nor a rate:\n{first}"
                first += line
            os.killpg(process.pid, signal.SIGINT)
            rest, _ = process.communicate(timeout=DEADLINE)
            watchdog.cancel()
        return first + rest, 0 if process.returncode in (0, 130) else process.returncode


def _names(shown: tuple[str, ...]) -> list[str]:
    """What a table says whatever its figures are: the names of the first one's lines, and the heads of those after it."""
    heads = [line for line in shown if line.startswith(("task ", "rule "))]
    first = shown[: shown.index(heads[0])]
    return [re.split(r"\s{2,}", line.strip())[0] for line in first if not line.startswith(" " * 3)] + heads


@contextmanager
def _interruptible() -> Iterator[None]:
    """Processes that begin meanwhile heed Ctrl-C, also where the tests themselves do not: in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _plain(text: str) -> str:
    for pattern, name in _VARIES:
        text = pattern.sub(name, text)
    return text.strip()
