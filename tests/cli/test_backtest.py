"""`understudy rules backtest`: the report for people and for programs, and what is told when it cannot be made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli.context import open_store
from cli.main import app
from store.database import upgrade
from store.database_sink import DatabaseSink
from store.keyring import DIGEST, Sealer
from tests.backtest.conftest import PRICES, chat, record

SMALL = {
    "engines": {"gpu": {"kind": "vllm", "base_url": "http://127.0.0.1:8000/v1"}},
    "slms": {"small": {"engine": "gpu", "model": "small"}},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose store holds ten letters and ten other calls."""
    path = tmp_path / "understudy.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "state_dir": "state", **SMALL}))
    with open_store(path) as store:
        upgrade(store.configuration.settings.store.url)
        sink = DatabaseSink(store.engine, Sealer(store.ring), store.ring.active.derive(DIGEST), PRICES)
        calls = [record(n) for n in range(10)]
        calls += [record(10 + n, chat("It is something else that was written")) for n in range(10)]
        assert sink.write(calls, []) == 20
    return path


def _rules(folder: Path, *rules: dict[str, Any]) -> Path:
    path = folder / "new.yaml"
    path.write_text(yaml.safe_dump({"version": 1, **SMALL, "rules": list(rules)}))
    return path


LETTERS = {"name": "letters", "when": {"user": "*letter*"}, "route": "small"}


def _run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["rules", "backtest", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_the_report_for_programs(config: Path, tmp_path: Path) -> None:
    code, out, err = _run("-c", config, "--rules", _rules(tmp_path, LETTERS), "--window", "all", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["today"]["replacement_rate"] == 0
    assert told["other"]["replacement_rate"] == 0.5
    assert told["moved"] == 10
    assert len(told["examples"]) == 5
    assert [group["name"] for group in told["rules"]] == ["defaults", "letters"]
    assert told["rules"][1]["other"]["replacement_rate"] == 1


def test_the_report_for_people(config: Path, tmp_path: Path) -> None:
    code, out, err = _run(
        "-c", config, "--rules", _rules(tmp_path, LETTERS), "--window", "all", "--moved", "1"
    )
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["replacement", "rate", "0.0%", "50.0%"] in lines
    assert ["calls", "20", "20"] in lines
    assert "10 calls move; the latest:" in out
    assert "→ small" in out
    assert "small has never been asked" in " ".join(out.split())
    assert "reading calls" in err


def test_a_window_without_calls(config: Path, tmp_path: Path) -> None:
    code, out, _ = _run("-c", config, "--rules", _rules(tmp_path, LETTERS), "--window", "1s")
    assert code == 0
    assert "0 calls move" in out


@pytest.mark.parametrize(
    ("rules", "window", "told"),
    [
        ({"name": "x", "route": "gone"}, "7d", "new.yaml"),
        ({"name": "x", "route": "upstream"}, "soon", "--window 'soon' is not a duration"),
    ],
)
def test_what_cannot_be_compared_is_told(
    config: Path, tmp_path: Path, rules: dict[str, Any], window: str, told: str
) -> None:
    code, _, err = _run("-c", config, "--rules", _rules(tmp_path, rules), "--window", window)
    assert code == 2
    assert told in err


def test_a_file_that_is_not_there(config: Path, tmp_path: Path) -> None:
    code, _, err = _run("-c", config, "--rules", tmp_path / "gone.yaml")
    assert code == 2
    assert "cannot be read" in err
