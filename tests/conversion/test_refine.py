"""When what was learned is to be learned anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversion.findings import Clustered, Curated
from conversion.refine import Triggers, decide
from conversion.run import Run
from conversion.task import Task
from store.deployments import DeploymentRow, MoveRow
from tests.conversion.conftest import START_US, World

_TRIGGERS = Triggers(first=20, growth=0.5, fresh=10, shift=0.2, unknown=0.1)


@pytest.fixture
def last(tmp_path: Path) -> Run:
    """A finished run on 100 examples: two tasks of equal share, 10 examples of none."""
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    facts = {"newest": START_US}
    run.keep("curate", Curated("", 100, facts))
    tasks = [Task(name, name, "label", 45, 0.45) for name in ("a", "b")]
    members = {"a": list(range(45)), "b": list(range(45, 90))}
    run.keep("cluster", Clustered("", "1", tasks, members, 10, {}))
    run.finish()
    return run


def _calls(world: World, **tasks: int) -> None:
    world.log(
        [
            world.asked("You help.", f"{task} {number}", "yes", task=task.strip("_"))
            for task, count in tasks.items()
            for number in range(count)
        ]
    )


def test_the_first_conversion_waits_for_enough_calls(world: World) -> None:
    _calls(world, _=19)
    assert not decide(world.stores, None, _TRIGGERS).due
    world.log([world.asked("You help.", "one more", "yes")])
    assert decide(world.stores, None, _TRIGGERS).reasons == ("20 calls and no conversion yet",)


def test_an_interrupted_run_is_gone_on_with(world: World, tmp_path: Path) -> None:
    (tmp_path / "interrupted").mkdir()
    assert "was interrupted" in decide(world.stores, Run(tmp_path / "interrupted"), _TRIGGERS).sentence


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ({"a": 10, "b": 10, "_": 2}, ""),
        ({"a": 23, "b": 24, "_": 5}, "52 new calls beside 100 learned from"),
        ({"a": 19, "b": 3}, "36% of calls went over to other tasks"),
        ({"a": 8, "b": 8, "_": 6}, "17% more of the calls belong to no task"),
        ({"a": 4, "b": 1}, ""),
        ({"_": 30}, ""),
    ],
    ids=["steady", "growth", "shift", "unknown", "too few to tell", "not recognised yet"],
)
def test_what_calls_for_it(world: World, last: Run, calls: dict[str, int], reason: str) -> None:
    _calls(world, **calls)
    refinement = decide(world.stores, last, _TRIGGERS)
    assert refinement.reasons == ((reason,) if reason else ())


def test_a_demotion_calls_for_it(world: World, last: Run) -> None:
    _calls(world, a=6, b=6)
    row = DeploymentRow("a@1", "a", "label", "heads", "a@1", "somewhere", state="live")
    world.stores.deployments.create(row)
    move = MoveRow("live", "demoted", "fall", "too many differ")
    world.stores.deployments.record("a@1", [], b"", move, START_US + 1)
    assert decide(world.stores, last, _TRIGGERS).reasons == ("demoted since: a@1",)
