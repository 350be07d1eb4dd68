"""The image's command with the compose file's environment, run without containers against a real PostgreSQL."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import psutil
import psycopg
import pytest

from tests.postgres import postgres_server

COMMAND = Path(sys.executable).with_name("understudy")
DEADLINE = 60.0

T = TypeVar("T")


@dataclass
class Proxy:
    """A running `understudy serve`."""

    process: subprocess.Popen[str]
    url: str
    environ: dict[str, str]
    database: str

    def command(self, *arguments: str) -> str:
        """Run another verb in the same surroundings, as `docker compose exec proxy understudy` does."""
        done = subprocess.run(
            [COMMAND, *arguments], env=self.environ, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def eventually(attempt: Callable[[], T | None], what: str) -> T:
    """The first result that is not None; fails at the deadline."""
    until = time.monotonic() + DEADLINE
    while (result := attempt()) is None:
        assert time.monotonic() < until, f"{what} did not come to pass in {DEADLINE:.0f} s"
        time.sleep(0.05)
    return result


@contextmanager
def running(
    command: list[Any], environ: dict[str, str], announced: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process, and what it announced on its standard output; killed at the end with all its children."""
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if match := re.search(announced, line):
                yield process, match[1]
                return
        raise AssertionError(
            f"{command[1:]} ended with code {process.wait()} before it announced {announced!r}"
        )
    finally:
        stop(process)
        process.stdout.close()


def stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            for each in (*children, process):
                each.kill()
            process.wait()


@pytest.fixture(scope="module")
def database(container: dict[str, str]) -> Iterator[str]:
    """URL, without password, of a database whose user must give the one of the compose file."""
    with postgres_server() as server:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE understudy LOGIN PASSWORD '{container['PGPASSWORD']}'")
            connection.execute("CREATE DATABASE understudy OWNER understudy")
            [data] = connection.execute("SHOW data_directory").fetchone() or [""]
            (Path(data) / "pg_hba.conf").write_text("local all postgres trust\nlocal all all scram-sha-256\n")
            connection.execute("SELECT pg_reload_conf()")
            [place] = connection.execute("SHOW unix_socket_directories").fetchone() or [""]
        yield f"postgresql://understudy@/understudy?host={place}"


@pytest.fixture(scope="module")
def upstream(container: dict[str, str]) -> Iterator[str]:
    """Base URL of a simulated LLM API that knows only the upstream's key."""
    command = [
        COMMAND,
        "simulate",
        "--port",
        "0",
        "--speed",
        "0",
        "--require-key",
        container["OPENAI_API_KEY"],
    ]
    with running(command, dict(os.environ), r"(http://\S+)") as (_, url):
        yield url.rstrip("/").removesuffix("/v1") + "/v1"


@pytest.fixture(scope="module")
def proxy(
    database: str,
    upstream: str,
    root: Path,
    image: dict[str, str],
    container: dict[str, str],
    dockerfile: list[tuple[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    """The image's entry point and command; only addresses and folders differ from the container's."""
    last = dict(dockerfile)
    command = [COMMAND, *json.loads(last["ENTRYPOINT"])[1:], *json.loads(last["CMD"])]
    environ = {
        **{name: value for name, value in image.items() if name != "PATH"},
        **container,
        "PATH": os.environ["PATH"],
        "UNDERSTUDY_CONFIG": str(root / "deploy/understudy.yaml"),
        "UNDERSTUDY_HOST": "127.0.0.1",
        "UNDERSTUDY_PORT": "0",
        "UNDERSTUDY_STATE_DIR": str(tmp_path_factory.mktemp("state")),
        "UNDERSTUDY_DATABASE": database,
        "OPENAI_BASE_URL": upstream,
    }
    with running(command, environ, r"listening on (http://\S+)") as (process, url):
        yield Proxy(process, url, environ, database)


@pytest.fixture(scope="module")
def key(proxy: Proxy) -> str:
    """A proxy key, in force."""

    def reached() -> bool | None:
        try:
            with psycopg.connect(proxy.database, password=proxy.environ["PGPASSWORD"]) as connection:
                return connection.execute("SELECT to_regclass('proxy_keys')").fetchone() != (None,) or None
        except psycopg.OperationalError:
            return None

    eventually(reached, "the migrated database")
    [secret] = re.findall(r"usk_\S+", proxy.command("keys", "create", "deploy-test"))
    eventually(lambda: True if call(proxy, secret).status_code != 401 else None, "the key being known")
    return str(secret)


def call(proxy: Proxy, key: str) -> httpx2.Response:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Where is order 4711?"}]}
    headers = {"authorization": f"Bearer {key}"}
    return httpx2.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers, timeout=30)


def health(proxy: Proxy, dockerfile: list[tuple[str, str]]) -> int:
    """Exit code of the image's health check, pointed at the port in use."""
    python, *arguments = json.loads(dict(dockerfile)["HEALTHCHECK"].partition("CMD ")[2])
    assert python == "python"
    here = [argument.replace("http://127.0.0.1:8400", proxy.url) for argument in arguments]
    return subprocess.run([sys.executable, *here], capture_output=True, check=False, timeout=30).returncode


@pytest.mark.postgres
def test_it_becomes_healthy(proxy: Proxy, dockerfile: list[tuple[str, str]]) -> None:
    eventually(lambda: True if health(proxy, dockerfile) == 0 else None, "a good health check")


@pytest.mark.postgres
def test_only_holders_of_a_key_are_served(proxy: Proxy, key: str) -> None:
    assert call(proxy, "usk_wrong").status_code == 401
    answer = call(proxy, key)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"]


@pytest.mark.postgres
def test_the_call_reaches_postgresql(proxy: Proxy, key: str) -> None:
    with psycopg.connect(proxy.database, password=proxy.environ["PGPASSWORD"], autocommit=True) as connection:

        def shipped() -> int | None:
            [count] = connection.execute("SELECT count(*) FROM calls").fetchone() or [0]
            return int(count) or None

        before = eventually(shipped, "the first call in the database")
        assert call(proxy, key).status_code == 200
        eventually(lambda: True if (shipped() or 0) > before else None, "the next call in the database")


@pytest.mark.postgres
def test_state_is_private(proxy: Proxy) -> None:
    keys = Path(proxy.environ["UNDERSTUDY_STATE_DIR"]) / "keys"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600


@pytest.mark.postgres
def test_sigterm_stops_everything(proxy: Proxy, dockerfile: list[tuple[str, str]]) -> None:
    """Runs last: the signal that the image names ends every process, with exit code 0."""
    children = psutil.Process(proxy.process.pid).children(recursive=True)
    assert children
    proxy.process.send_signal(signal.Signals[dict(dockerfile)["STOPSIGNAL"]])
    assert proxy.process.wait(DEADLINE) == 0
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert health(proxy, dockerfile) != 0
