"""Commands that decide like a running server: over what is published."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.context import key_file
from cli.rules import create_rules
from config.load import load
from router.decision import Query
from router.fingerprint import Fingerprints
from router.recogniser import FILE_NAME, encode
from router.trained import NOTHING
from serving.publication import HEADS, Deployment, Publication, publish
from store.artifacts import ArtifactStore
from store.keyring import KeyRing

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Label this ticket."}]}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "understudy.yaml"
    path.write_text(f"version: 1\nstate_dir: {tmp_path}/state\n")
    (tmp_path / "call.json").write_text(json.dumps(BODY))
    return path


@pytest.fixture
def router(config: Path) -> Path:
    """The artifact of a router that knows the call; it is published with an understudy for it."""
    configuration = load(config, {})
    ring = KeyRing.load(key_file(configuration), {})
    key = Fingerprints().read(Query("chat.completions", BODY, 100)).key
    with ArtifactStore(configuration.artifacts, ring).create("router", "router") as draft:
        draft.write(FILE_NAME, encode(replace(NOTHING, targets=("desk/label",), keys={key: 0}, version="1")))
        artifact = draft.commit({}).path
    deployed = Deployment(
        "desk/label@1", "desk/label", "label", "live", HEADS, "desk/label@1", "", 1.0, 0.0, 0.96, 0.95
    )
    configuration.published.parent.mkdir(exist_ok=True)
    publish(configuration.published, Publication("v", str(artifact), (deployed,)), ring)
    return artifact


def explain(config: Path, code: int = 0) -> str:
    file = str(config.with_name("call.json"))
    arguments = ["explain", "--request", file, "--config", str(config), "--json"]
    app = create_rules(lambda _config, _call: None)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_nothing_is_published_and_nothing_is_made(config: Path) -> None:
    assert json.loads(explain(config))["decision"]["route"] == "upstream"
    assert not (config.parent / "state").exists()


def test_the_understudy_that_would_answer_is_named(config: Path, router: Path) -> None:
    decision = json.loads(explain(config))["decision"]
    assert (decision["route"], decision["task"]) == ("slm", "desk/label")
    assert decision["understudy"] == "desk/label@1"


def test_a_corrupt_router_is_told(config: Path, router: Path) -> None:
    (router / FILE_NAME).write_bytes(b"?")
    assert str(router / FILE_NAME) in explain(config, code=2)
