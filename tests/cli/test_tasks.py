"""`understudy tasks` on a real store."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from cli import tasks
from cli.context import open_store
from store.database import upgrade
from store.keyring import Sealer
from store.schema import deployments
from store.tasks import TaskRow, Tasks
from tests.proxy.stored_tasks import LABEL, LIVE, PLAN, fill


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "understudy.yaml"
    path.write_text(
        f"version: 1\nstate_dir: {tmp_path}/state\nstore: {{url: 'sqlite:///{tmp_path}/understudy.db'}}\n"
    )
    with open_store(path) as store:
        upgrade(store.configuration.settings.store.url)
    return path


@pytest.fixture
def filled(config: Path) -> Path:
    with open_store(config) as store:
        fill(store.engine, store.ring, time.time_ns() // 1000)
    return config


def run(*arguments: str | Path, code: int = 0, width: int = 80) -> str:
    words = [str(argument) for argument in arguments]
    result = CliRunner().invoke(tasks.app, words, env={"COLUMNS": str(width)})
    assert result.exit_code == code, result.output
    return result.output


def test_nothing_was_found_yet(config: Path) -> None:
    assert "no task was found yet" in run("list", "-c", config)
    assert json.loads(run("list", "-c", config, "--json"))["tasks"] == []


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_the_list_fits_the_terminal(filled: Path, width: int) -> None:
    lines = run("list", "-c", filled, width=width).splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    assert ("label of a support ticket" in lines[2]) is (width >= 140)
    line = next(each for each in lines if each.startswith("support/"))
    assert "canary5" in line
    assert "≥95.1% (98.0%)" in line
    assert ("$" in line) is (width >= 80)


def test_a_long_id_is_shown_whole(filled: Path) -> None:
    long = "classify-support-tickets-of-an-online-shop/label"
    with open_store(filled) as store:
        Tasks(store.engine, Sealer(store.ring)).save([TaskRow(long, "which shelf", "label", 9, 0.1)])
        with store.engine.begin() as connection:
            connection.execute(update(deployments).values(task=long))
    lines = run("list", "-c", filled).splitlines()
    assert max(map(len, lines)) <= 80
    wide = lines[0].index("state")
    assert long in "".join(line[:wide].strip() for line in lines)
    assert lines[0].split()[-2:] == ["saved", "would"]


def test_without_a_verb_it_lists(filled: Path) -> None:
    assert run("-c", filled) == run("list", "-c", filled)
    assert [task["id"] for task in json.loads(run("-c", filled, "--json"))["tasks"]] == [PLAN, LABEL]


def test_a_task_is_shown_with_its_whole_trail(filled: Path) -> None:
    shown = " ".join(run("show", LABEL, "-c", filled).split())
    for told in (
        f"{LIVE} canary5",
        "held-out calls: 98 of 100 agreed",
        "observe → shadow",
        "98 of 100 held-out calls agree",
        "shadow → canary5",
        "answers from 0.8 up",
    ):
        assert told in shown
    page = json.loads(run("show", LABEL, "-c", filled, "--json"))
    assert [deployment["state"] for deployment in page["deployments"]] == ["observe", "canary5"]


def test_a_task_without_an_understudy(filled: Path) -> None:
    assert "no understudy was trained for it yet" in run("show", PLAN, "-c", filled)


def test_a_task_that_is_not_there(filled: Path) -> None:
    assert "there is no task 'none'" in run("show", "none", "-c", filled, code=2)
