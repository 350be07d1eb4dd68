"""`understudy convert` on good and on bad input: a clear line, an exit code, and a store that is as it was."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.convert import app
from conversion.run import alone
from store.artifacts import MANIFEST
from store.record import Record
from tests.conversion.conftest import World

Fill = Callable[[World], list[Record]]


def _run(world: World, *arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [*arguments, "--config", str(world.config)])
    assert result.exit_code == code, (result.output, result.stderr, result.exception)
    return result


def _untouched(world: World) -> bool:
    return world.stores.routers.current() is None and not world.stores.deployments.list()


def _many(number: int) -> str:
    return f"The {number}th message: is it about {'money' if number % 2 else 'a parcel'}?"


def test_an_empty_log(world: World) -> None:
    result = _run(world, code=2)
    assert result.stderr.splitlines()[-1].startswith(
        "understudy: the log holds no call to learn from (0 read)"
    )
    assert "\n" not in result.stderr.partition("understudy:")[2].strip()
    assert _untouched(world)


def test_no_database_yet(tmp_path: Path) -> None:
    config = tmp_path / "understudy.yaml"
    config.write_text(f"version: 1\nstate_dir: {tmp_path}/s\nstore: {{url: 'sqlite:///{tmp_path}/new.db'}}\n")
    result = CliRunner().invoke(app, ["--config", str(config)])
    assert result.exit_code == 2
    assert "the log holds no call to learn from" in result.stderr


def test_a_log_of_failures_only_says_what_was_left_out(world: World) -> None:
    world.log([world.asked("You help.", _many(n), "yes", status=503) for n in range(3)])
    assert "(3 read: 3 failed)" in _run(world, code=2).stderr


@pytest.mark.parametrize(
    ("fill", "told"),
    [
        (
            lambda world: [world.asked("You help.", _many(n), "yes", session="one") for n in range(150)],
            "all its calls are of one session",
        ),
        (
            lambda world: [world.asked("You help.", _many(n), "yes") for n in range(12)],
            "it has 12 examples, 100 are needed",
        ),
        (lambda world: [world.asked("You help.", "Is it?", "yes") for _ in range(150)], "149 duplicate"),
        (
            lambda world: [
                world.asked("You help.", f"{text} {n}", "yes")
                for n in range(30)
                for text in ("Wo ist mein Päckchen?", "我的包裹在哪里?", "أين طردي؟", "Где посылка? 🧐")
            ],
            "120 of 120 sessions are learned from",
        ),
        (
            lambda world: [world.asked("You help.", f"{n}: " + "long " * 40_000, "yes") for n in range(12)],
            "it has 12 examples",
        ),
    ],
    ids=["one session", "twelve examples", "all identical", "mixed languages", "200 KB prompts"],
)
def test_little_to_learn_from_is_a_result(world: World, fill: Fill, told: str) -> None:
    world.log(fill(world))
    _run(world)
    [report] = world.stores.artifacts.list("report")
    text = report.read("report.md").decode().replace("\n", " ")
    assert told in text
    assert world.stores.deployments.list() == []


def test_json_for_programs(world: World) -> None:
    world.log([world.asked("You help.", _many(n), "yes") for n in range(12)])
    page = json.loads(_run(world, "--json").stdout)
    assert page["curated"]["examples"] == 12
    assert Path(page["report"], "report.md").exists()
    steps = json.loads(_run(world, "cluster", "--json").stdout)
    assert steps["clustered"]["tasks"]
    assert steps["evaluated"] is None


def test_a_dry_run_leaves_nothing_behind(world: World) -> None:
    world.log([world.asked("You help.", _many(n), "yes") for n in range(12)])
    page = json.loads(_run(world, "cluster", "--dry-run", "--json").stdout)
    assert [task["calls"] for task in page["clustered"]["tasks"]] == [12]
    assert _untouched(world)
    assert world.stores.artifacts.list("dataset") == []


def test_a_second_conversion_is_kept_out(world: World) -> None:
    with alone(world.folder / "state" / "conversion"):
        assert "another conversion works in" in _run(world, code=2).stderr


def test_a_task_that_does_not_exist(world: World) -> None:
    world.log([world.asked("You help.", _many(n), "yes") for n in range(12)])
    assert "there is no task 'nonsense'" in _run(world, "select", "--task", "nonsense", code=2).stderr


def test_a_damaged_data_set_is_refused_and_a_fresh_run_makes_another(world: World) -> None:
    world.log([world.asked("You help.", _many(n), "yes") for n in range(12)])
    _run(world, "curate")
    [dataset] = world.stores.artifacts.list("dataset")
    (dataset.path / MANIFEST).write_text("{}")
    result = _run(world, "cluster", code=2)
    assert "is damaged" in result.stderr
    assert _untouched(world)
    _run(world, "--fresh")
    assert world.stores.routers.current() is not None


def test_a_full_disk_leaves_the_last_router_in_force(world: World) -> None:
    world.log([world.asked("You help.", _many(n), "yes") for n in range(12)])
    _run(world)
    before = world.stores.routers.current()
    noise = [world.asked("You help.", os.urandom(30_000).hex(), "yes") for _ in range(12)]
    world.log(noise)
    world.engine.dispose()  # or the command would find a write-ahead log, and write it back

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    command = [sys.executable, "-m", "cli.main", "convert", "--config", str(world.config)]
    done = subprocess.run(command, preexec_fn=small_files, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "understudy: cannot write " in done.stderr
    assert "File too large" in done.stderr
    assert world.stores.routers.current() == before
    assert not list((world.folder / "state" / "artifacts" / "dataset" / "calls").glob(".draft-*"))
    _run(world)
    assert world.stores.routers.current() != before


def test_refine_says_why_not(world: World) -> None:
    world.log([world.asked("You help.", _many(n), "yes") for n in range(12)])
    assert "nothing calls for a new conversion: 12 new calls" in _run(world, "refine").stdout
    page = json.loads(_run(world, "refine", "--json").stdout)
    assert page == {"due": False, "reasons": [], "fresh": 12}


def test_watching_converts_when_there_is_enough_and_ends_when_interrupted(world: World) -> None:
    world.log([world.asked("You help.", _many(n), "yes") for n in range(99)])
    command = [sys.executable, "-m", "cli.main", "convert", "--every", "1s", "--config", str(world.config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stderr is not None
        assert any("nothing calls for a new conversion" in line for line in watching.stderr)
        assert world.stores.routers.current() is None
        world.log([world.asked("You help.", _many(99), "yes")])
        assert any("100 calls and no conversion yet" in line for line in watching.stderr)
        assert any("0 new calls" in line for line in watching.stderr)  # converted, and looked again
        watching.send_signal(signal.SIGINT)
        assert watching.wait(180) == 0
    assert world.stores.routers.current() is not None


@pytest.mark.parametrize("every", ["soon", "-1", "10 parsecs"])
def test_every_has_to_be_a_duration(world: World, every: str) -> None:
    assert f"--every is {every!r}: is not a duration" in _run(world, "--every", every, code=2).stderr
