"""`understudy serve` in surroundings it cannot start in: one clear line, exit code 2, no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVE = [sys.executable, "-m", "cli.main", "serve"]


def serve(folder: Path, config: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it in a folder on a configuration; it is expected to end by itself."""
    file = folder / "understudy.yaml"
    file.write_text(config)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSTUDY_")}
    return subprocess.run(
        [*SERVE, "--config", str(file), *options],
        cwd=folder,
        env=environ | {"OPENAI_API_KEY": "sk-test"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that it ended with."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("understudy: ")
    return line


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("version: [\n", "understudy.yaml:2:1: "),
        ("version: 1\nserver: {prot: 8400}\n", "understudy.yaml:2:10: "),
        ("version: 1\nstore: {url: '${NO_SUCH_VARIABLE}'}\n", "understudy.yaml:2:14: "),
        ("version: 1\nstore: {url: 'mysql://host/database'}\n", "'mysql://host/database'"),
        ("version: 1\nstore: {url: 'sqlite:///missing/understudy.db'}\n", "missing'"),
        ("version: 1\nstate_dir: taken\n", "taken"),
    ],
    ids=[
        "not YAML",
        "unknown setting",
        "missing variable",
        "bad database URL",
        "no folder",
        "state is a file",
    ],
)
def test_a_configuration_that_cannot_be_served(tmp_path: Path, config: str, told: str) -> None:
    (tmp_path / "taken").write_text("a file where the state folder should be")
    assert told in complaint(serve(tmp_path, config, "--port", "0"))


def test_no_configuration_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [*SERVE, "--config", "nowhere.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "nowhere.yaml: cannot be read" in complaint(done)


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port of 127.0.0.1 on which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_port_in_use(tmp_path: Path, taken_port: int) -> None:
    told = complaint(serve(tmp_path, "version: 1\n", "--port", str(taken_port)))
    assert f"cannot listen on 127.0.0.1:{taken_port} (Address already in use)" in told


@pytest.mark.parametrize("content", ["not a key\n", None], ids=["nonsense", "a folder"])
def test_a_key_file_that_cannot_be_used(tmp_path: Path, content: str | None) -> None:
    keys = tmp_path / "state" / "keys"
    keys.parent.mkdir(mode=0o700)
    if content is None:
        keys.mkdir()
    else:
        keys.write_text(content)
        keys.chmod(0o600)
    told = complaint(serve(tmp_path, "version: 1\nstate_dir: state\n", "--port", "0"))
    assert str(keys) in told
    assert "not a key" not in told


def test_a_wider_address_without_keys(tmp_path: Path) -> None:
    told = complaint(serve(tmp_path, "version: 1\n", "--host", "0.0.0.0", "--port", "0"))
    assert "auth.mode: keys" in told


def test_an_address_that_is_none(tmp_path: Path) -> None:
    config = "version: 1\nauth: {mode: keys}\n"
    assert "cannot listen on no.such.host.invalid" in complaint(
        serve(tmp_path, config, "--host", "no.such.host.invalid", "--port", "0")
    )


@pytest.mark.parametrize("options", [["--prot", "8400"], ["--port", "70000"], ["--workers", "0"]])
def test_options_that_make_no_sense(tmp_path: Path, options: list[str]) -> None:
    done = serve(tmp_path, "version: 1\n", *options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert options[0] in done.stderr
    assert "Traceback" not in done.stderr
