"""`understudy simulate` as a process, and its page in the docs."""

from __future__ import annotations

import inspect
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import httpx2
import pytest

from cli.simulate import simulate
from simulator.faults import Fault

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()


@contextmanager
def running(*options: str) -> Iterator[tuple[str, str]]:
    """The command on a free port; gives its first line and its URL."""
    command = [sys.executable, "-m", "cli.simulate", "--port", "0", "--speed", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        try:
            yield first, second.removeprefix("listening on ").strip()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def test_it_says_what_it_is_and_serves() -> None:
    with running("--require-key", "sk-1", "--fault", "status=500; failures=1; key=all") as (said, url):
        assert "stand-in for the paid API" in said
        assert httpx2.get(f"{url}/v1/models").status_code == 500
        assert httpx2.get(f"{url}/v1/models").status_code == 401
        assert httpx2.get(f"{url}/v1/models", headers={"authorization": "Bearer sk-1"}).status_code == 200


def test_it_plays_a_small_model() -> None:
    with running("--as", "slm", "--model", "desk-slm") as (_, url):
        assert [model["id"] for model in httpx2.get(f"{url}/v1/models").json()["data"]] == ["desk-slm"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--scenario", "opera"], "'opera'"),
        (["--as", "slm"], "--model NAME"),
        (["--fault", "zork=1"], "zork=1"),
        (["--trace", "missing.jsonl"], "missing.jsonl"),
        (["--clock", "sundial"], "'sundial'"),
    ],
)
def test_bad_options_end_in_one_line_and_code_2(options: list[str], said: str) -> None:
    command = [sys.executable, "-m", "cli.simulate", "--port", "0", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_taken_port_ends_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "cli.simulate", "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert port in ended.stderr


def test_every_option_and_fault_is_documented() -> None:
    for name in inspect.signature(simulate).parameters:
        assert f"`--{name.rstrip('_').replace('_', '-')}`" in PAGE
    for field in fields(Fault):
        assert re.search(rf"`{field.name.replace('_', '-')}`", PAGE), field.name
