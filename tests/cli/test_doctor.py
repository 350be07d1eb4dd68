"""`understudy doctor`: each thing that can be wrong is told with its remedy, and nothing is changed by looking."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.checks import machine, network
from cli.main import app
from simulator.app import create_app
from simulator.server import RunningServer
from simulator.settings import Settings
from simulator.support_desk import SupportDesk
from store.database import upgrade
from store.keyring import MasterKey


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    settings = Settings(models=("gpt-4o", "tiny"), require_key="sk-good")
    with RunningServer(create_app(SupportDesk(), settings=settings)) as running:
        yield running


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNDERSTUDY_KEY", "UNDERSTUDY_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOD_KEY", "sk-good")
    monkeypatch.setenv("BAD_KEY", "sk-bad")


def _file(folder: Path, **sections: Any) -> Path:
    path = folder / "understudy.yaml"
    told = {"version": 1, "server": {"port": 0}, "state_dir": "state", **sections}
    path.write_text(json.dumps(told))
    return path


def _doctor(path: Path, *arguments: str) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """Exit code, and the findings by what was checked."""
    result = CliRunner().invoke(app, ["doctor", "-c", str(path), "--json", *arguments])
    report = json.loads(result.stdout)
    assert report["healthy"] is (result.exit_code == 0)
    by_check: dict[str, list[dict[str, str]]] = {}
    for finding in report["findings"]:
        by_check.setdefault(finding["check"], []).append(finding)
    return result.exit_code, by_check


def _upstream(url: str, key: str = "GOOD_KEY") -> dict[str, Any]:
    return {"upstreams": {"llm": {"base_url": url, "api_key_env": key}}}


def test_all_is_well_before_the_first_start(tmp_path: Path, server: RunningServer) -> None:
    path = _file(tmp_path, **_upstream(server.base_url))
    code, found = _doctor(path)
    assert code == 0
    assert "the first start makes" in found["master keys"][0]["text"]
    assert "is not there yet" in found["database"][0]["text"]
    assert "answers, 2 models" in found["upstream llm"][1]["text"]
    assert found["clock"][0]["level"] == "ok"
    assert list(tmp_path.iterdir()) == [path]  # looking made nothing


def test_a_table_for_people(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "-c", str(_file(tmp_path)), "--offline"])
    assert result.exit_code == 0
    assert result.stdout.rstrip().endswith("0 problems, 0 warnings")


def test_a_bad_configuration_is_all_that_is_told(tmp_path: Path) -> None:
    path = _file(tmp_path, store={"retain": "soon"}, slms={"s": {"engine": "gone", "model": "m"}})
    code, found = _doctor(path)
    assert code == 1
    assert set(found) == {"configuration"}
    assert len(found["configuration"]) == 2
    assert all(each["remedy"] for each in found["configuration"])


def test_an_upstream_that_refuses_the_key(tmp_path: Path, server: RunningServer) -> None:
    code, found = _doctor(_file(tmp_path, **_upstream(server.base_url, "BAD_KEY")))
    assert code == 1
    assert found["upstream llm"][1]["text"].endswith("refuses the key (401)")


def test_an_upstream_that_wants_the_agents_key(tmp_path: Path, server: RunningServer) -> None:
    code, found = _doctor(_file(tmp_path, **_upstream(server.base_url, "UNSET_KEY")))
    assert code == 0
    assert "agents must send their own" in found["upstream llm"][0]["text"]
    assert "answers and wants a key" in found["upstream llm"][1]["text"]


def test_a_variable_that_proxy_keys_need(tmp_path: Path) -> None:
    sections = {"upstreams": {"llm": {"base_url": "http://127.0.0.1:9/v1"}}, "auth": {"mode": "keys"}}
    _, found = _doctor(_file(tmp_path, **sections), "--offline")
    assert found["upstream llm"][0]["remedy"] == "name a variable in upstreams.llm.api_key_env"


def test_an_engine_that_is_away_and_one_without_the_model(tmp_path: Path, server: RunningServer) -> None:
    engines = {
        "away": {"kind": "vllm", "base_url": "http://127.0.0.1:9/v1"},
        "here": {"kind": "vllm", "base_url": server.base_url, "api_key_env": "GOOD_KEY"},
    }
    slms = {"big": {"engine": "here", "model": "huge"}, "small": {"engine": "here", "model": "tiny"}}
    code, found = _doctor(_file(tmp_path, engines=engines, slms=slms, **_upstream(server.base_url)))
    assert code == 1
    assert "does not answer (ConnectError)" in found["engine away"][0]["text"]
    assert "serves gpt-4o, tiny" in found["slm big"][0]["text"]
    assert "slm small" not in found


def test_a_key_file_that_others_may_read(tmp_path: Path) -> None:
    path = _file(tmp_path)
    (tmp_path / "state").mkdir()
    keys = tmp_path / "state" / "keys"
    keys.write_text(MasterKey.generate().export())
    keys.chmod(0o644)
    code, found = _doctor(path, "--offline")
    assert code == 1
    assert "chmod 600" in found["master keys"][0]["remedy"]


def test_a_database_of_an_older_program(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path / 'understudy.db'}", "0001")
    code, found = _doctor(_file(tmp_path), "--offline")
    assert code == 0
    assert found["database"][0]["level"] == "warning"
    assert "understudy db upgrade" in found["database"][0]["remedy"]


def test_a_database_that_is_away(tmp_path: Path) -> None:
    store = {"store": {"url": "postgresql://nobody@127.0.0.1:9/nothing"}}
    code, found = _doctor(_file(tmp_path, **store), "--offline")
    assert code == 1
    assert found["database"][0]["text"].startswith("cannot be reached")
    assert "wait in the journal" in found["database"][0]["remedy"]


def test_records_in_quarantine(tmp_path: Path) -> None:
    path = _file(tmp_path)
    assert [finding["level"] for finding in _doctor(path, "--offline")[1]["journal"]] == ["ok"]
    folder = tmp_path / "state" / "journal" / "quarantine"
    folder.mkdir(parents=True)
    (folder / "0.seg@32").write_bytes(b"x")
    code, found = _doctor(path, "--offline")
    assert code == 0
    assert "1 files are in quarantine" in found["journal"][1]["text"]
    assert "--ship-again" in found["journal"][1]["remedy"]


def test_a_log_whose_key_is_lost(tmp_path: Path) -> None:
    from tests.cli.test_store_commands import _store  # noqa: PLC0415

    path = _file(tmp_path)
    _store(path, 1)
    assert _doctor(path, "--offline")[1]["content"][0]["level"] == "ok"
    (tmp_path / "state" / "keys").write_text(MasterKey.generate().export())
    code, found = _doctor(path, "--offline")
    assert code == 1
    assert "is not among the master keys" in found["content"][0]["text"]


def test_a_port_that_something_else_holds(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        code, found = _doctor(_file(tmp_path, server={"port": port}), "--offline")
    assert code == 1
    assert "Address already in use" in found["port"][0]["text"]
    assert _doctor(_file(tmp_path, server={"port": port}), "--offline")[0] == 0


def test_a_journal_that_nobody_ships(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "journal"
    folder.mkdir(parents=True)
    segment = folder / "0000000000000001-1-1.seg"
    segment.write_bytes(b"x" * 4096)
    os.utime(segment, (time.time() - 3600, time.time() - 3600))
    _, found = _doctor(_file(tmp_path), "--offline")
    assert found["journal"][0]["level"] in ("warning", "ok")


def test_few_open_files_are_told(tmp_path: Path) -> None:
    program = "from cli.checks.machine import check_files; print(next(check_files()).text)"
    ran = subprocess.run(
        ["bash", "-c", f"ulimit -Sn 512; exec {os.sys.executable} -c '{program}'"],  # type: ignore[attr-defined]
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "a process may open 512" in ran.stdout


@pytest.mark.parametrize(("skew", "level"), [(3.0, "ok"), (400.0, "warning"), (-400.0, "warning")])
def test_the_clock_is_compared_with_the_servers(skew: float, level: str) -> None:
    answers = {"upstream llm": network.Answer(200, skew=skew), "engine e": network.Answer(200, skew=skew)}
    (finding,) = network._clock(answers)
    assert finding.level == level


def test_a_port_that_is_ours(tmp_path: Path) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer  # noqa: PLC0415
    from threading import Thread  # noqa: PLC0415

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status":"ok"}')

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Healthy) as serving:
        thread = Thread(target=serving.serve_forever)
        thread.start()
        (finding,) = machine.check_port("127.0.0.1", serving.server_port)
        serving.shutdown()
        thread.join()
    assert finding.text.startswith("understudy serves on")
