"""`understudy rules` and `understudy config`, as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
from typer.testing import CliRunner, Result

from cli.config_command import app as config_app
from cli.rules import create_rules
from router.decision import Query

CONFIG = """\
engines: {e: {kind: heads}}
slms: {small: {engine: e, model: m}}
rules:
  - {name: planner stays, when: {system: "You are the planner*"}, route: upstream}
  - {name: intents, when: {task: support/intent}, route: small}
"""
RECORDED = Query(
    "chat.completions",
    {"messages": [{"role": "user", "content": "hi"}]},
    50,
    {"x-understudy-task": "support/intent"},
)
Run = Callable[..., Result]


def fetch(config: Path | None, call: str) -> Query | None:
    return RECORDED if call == "0198" else None


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in a folder with a configuration and a request."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "understudy.yaml").write_text(CONFIG)
    body = {"model": "gpt-4o", "messages": [{"role": "system", "content": "You sort [bold]tickets."}]}
    (tmp_path / "call.json").write_text(json.dumps(body))
    return command(create_rules(fetch))


def command(app: typer.Typer) -> Run:
    def run(*arguments: str, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(app, list(arguments), input=stdin)
        assert "Traceback" not in result.output
        return result

    return run


class TestCheck:
    def test_a_valid_file(self, run: Run) -> None:
        result = run("check")
        assert result.exit_code == 0
        assert result.stdout.startswith("understudy.yaml: valid, 2 rules, version ")

    def test_no_file(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "understudy.yaml").unlink()
        result = run("check")
        assert (result.exit_code, "the defaults: valid, 0 rules" in result.stdout) == (0, True)

    def test_every_problem_has_a_line(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "bad.yaml").write_text("server: {port: x}\nrules: [{name: a, route: smal}]")
        result = run("check", "bad.yaml")
        assert result.exit_code == 2
        assert result.stderr.splitlines() == [
            "bad.yaml:1:16: server.port: 'x' is not a whole number",
            "bad.yaml:2:26: rules[0].route: 'smal' is not auto, upstream or a known slm; known are auto, upstream",
        ]

    def test_for_programs(self, run: Run, tmp_path: Path) -> None:
        assert json.loads(run("check", "--json").stdout)["valid"] is True
        (tmp_path / "bad.yaml").write_text("server: {port: x}")
        result = run("check", "bad.yaml", "--json")
        [problem] = json.loads(result.stdout)["problems"]
        assert (result.exit_code, problem["line"], problem["column"], problem["path"]) == (
            2,
            1,
            16,
            "server.port",
        )

    def test_a_missing_file(self, run: Run) -> None:
        result = run("check", "none.yaml")
        assert result.exit_code == 2
        assert result.stderr.startswith("none.yaml: cannot be read: No such file")


class TestExplain:
    def test_a_request_file(self, run: Run) -> None:
        result = run("explain", "--request", "call.json")
        sentence, head, first, second, last = result.stdout.splitlines()
        assert sentence == (
            "This call goes to the upstream, by rule 'defaults': no understudy is certified for this call."
        )
        assert head.split() == ["rule", "matched", "condition", "wanted", "found"]
        assert "planner stays" in first
        assert "You are the planner*" in first
        assert "You sort [bold]tickets." in first
        assert second.split() == ["intents", "no", "task", "support/intent"]
        assert last.split() == ["defaults", "yes"]

    def test_headers_count(self, run: Run) -> None:
        result = run("explain", "-r", "call.json", "-H", "X-Understudy-Task=support/intent")
        assert result.stdout.startswith("This call goes to the small model 'small', by rule 'intents'")

    def test_standard_input(self, run: Run) -> None:
        result = run("explain", "-r", "-", stdin='{"input": "hi", "background": true}')
        assert "by rule 'defaults'" in result.stdout
        assert "background names state" in result.stdout

    def test_a_recorded_call(self, run: Run) -> None:
        assert "small model 'small'" in run("explain", "--call", "0198").stdout

    def test_for_programs(self, run: Run) -> None:
        told = json.loads(run("explain", "-r", "call.json", "--json").stdout)
        assert told["decision"]["rule"] == "defaults"
        assert [rule["matched"] for rule in told["checks"]] == [False, False, True]

    @pytest.mark.parametrize(
        ("body", "arguments", "endpoint"),
        [
            ({"messages": []}, [], "chat.completions"),
            ({"messages": []}, ["--endpoint", "messages"], "messages"),
            ({"input": "x"}, [], "responses"),
            ({"prompt": "x"}, [], "completions"),
            ({}, [], "other"),
        ],
    )
    def test_the_endpoint_is_told_from_the_body(
        self, run: Run, tmp_path: Path, body: Mapping[str, Any], arguments: list[str], endpoint: str
    ) -> None:
        (tmp_path / "understudy.yaml").write_text(f"rules: [{{name: found, when: {{endpoint: {endpoint}}}}}]")
        assert "by rule 'found'" in run("explain", "-r", "-", *arguments, stdin=json.dumps(body)).stdout

    @pytest.mark.parametrize(
        ("arguments", "stdin", "message"),
        [
            ([], "", "either --request FILE or --call ID"),
            (["-r", "call.json", "--call", "x"], "", "either --request FILE or --call ID"),
            (["--call", "none"], "", "there is no call 'none' in the store"),
            (["-r", "none.json"], "", "none.json: cannot be read: No such file"),
            (["-r", "-"], "{", "-:1:2: not JSON"),
            (["-r", "-"], "[]", "not a JSON object"),
            (["-r", "call.json", "-H", "x"], "", "--header 'x' has no ="),
            (["-r", "call.json", "-c", "none.yaml"], "", "none.yaml: cannot be read"),
        ],
    )
    def test_mistakes_end_with_one_line_and_code_2(
        self, run: Run, arguments: list[str], stdin: str, message: str
    ) -> None:
        result = run("explain", *arguments, stdin=stdin)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_the_schema_is_printed(run: Run) -> None:
    result = command(config_app)("schema")
    assert result.exit_code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(result.stdout))


def test_config_check_is_rules_check(run: Run) -> None:
    assert command(config_app)("check").stdout == run("check").stdout
