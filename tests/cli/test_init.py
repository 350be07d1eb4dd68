"""`understudy init`: the file is valid and commented, and what is there is never overwritten unasked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app
from config.load import read


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "understudy.yaml"


def _init(*arguments: str, answers: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, ["init", *arguments], input=answers)
    return result.exit_code, result.output


def test_defaults_make_a_valid_commented_file(out: Path) -> None:
    assert _init("--yes") == (
        0,
        "understudy.yaml is written; next: understudy doctor, then understudy serve\n",
    )
    settings = read(out, {})
    assert settings.upstreams["llm"].base_url == "https://api.openai.com/v1"
    assert settings.auth.mode == "passthrough"
    lines = out.read_text().splitlines()
    assert sum(line.startswith("#") for line in lines) > 10
    assert yaml.safe_load(out.read_text())["rules"] == []


def test_four_questions_are_asked(out: Path) -> None:
    code, told = _init(answers="https://llm.example/v1\nLLM_KEY\nnetwork\nhttp://127.0.0.1:8000/v1\n")
    assert code == 0
    assert told.count("]:") == 4
    settings = read(out, {"LLM_KEY": "x"})
    assert (settings.server.host, settings.auth.mode) == ("0.0.0.0", "keys")
    assert settings.engines["vllm"].base_url == "http://127.0.0.1:8000/v1"
    assert settings.upstreams["llm"].api_key_env == "LLM_KEY"


def test_who_has_nobody_to_answer_is_told_what_to_do(out: Path) -> None:
    code, told = _init(answers="https://llm.example/v1\n")
    assert code == 2
    assert "nobody answers 'Variable that holds its key'; take the defaults with --yes" in told
    assert not out.exists()


def test_what_is_given_is_not_asked(out: Path) -> None:
    given = ("--upstream", "https://llm.example/v1", "--key-env", "K", "--reach", "here", "--engine", "none")
    code, told = _init(*given, "--port", "9000")
    assert (code, told.count("]:")) == (0, 0)
    assert read(out, {}).server.port == 9000


def test_a_file_that_is_there_stays(out: Path) -> None:
    out.write_text("version: 1\n")
    code, told = _init("--yes")
    assert code == 2
    assert "understudy.yaml is there already" in told
    assert out.read_text() == "version: 1\n"
    assert _init("--yes", "--force")[0] == 0
    assert out.read_text() != "version: 1\n"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--upstream", "llm.example"), "upstreams.llm.base_url: 'llm.example' is not an http or https URL"),
        (("--key-env", "sk-123"), "upstreams.llm.api_key_env: '***' is not the name of a variable"),
        (("--engine", "8000"), "engines.vllm.base_url"),
        (("--out", "gone/understudy.yaml"), "gone/understudy.yaml: cannot be written: No such file"),
    ],
)
def test_answers_that_make_no_valid_file_write_none(out: Path, given: tuple[str, ...], told: str) -> None:
    code, said = _init("--yes", *given)
    assert code == 2
    assert told in said
    assert "sk-123" not in said
    assert list(out.parent.iterdir()) == []


def test_a_wrong_reach_is_told(out: Path) -> None:
    code, told = _init(answers="https://llm.example/v1\nK\neverywhere\n")
    assert code == 2
    assert "'everywhere' is neither here nor network" in told


def test_json_asks_nothing(out: Path) -> None:
    code, told = _init("--json", "--reach", "network")
    assert code == 0
    assert json.loads(told) == {"file": "understudy.yaml", "port": 8400, "auth": "keys"}
