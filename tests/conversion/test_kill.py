"""`understudy convert`, killed in each of its steps (SIGKILL): the next one goes on there, and ends as if nothing had been."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from conversion.pipeline import STEPS, Step
from conversion.run import Run, Runs
from tests.conversion.conftest import World

_DEADLINE = 200.0

pytestmark = pytest.mark.timeout(600)


def _run(world: World) -> Run | None:
    return Runs(world.folder / "state" / "conversion" / "runs").latest


def _found(run: Run | None) -> dict[str, bytes]:
    """What the steps have left so far."""
    if run is None:
        return {}
    files = {step: run.folder / f"{step}.json" for step in STEPS}
    return {step: path.read_bytes() for step, path in files.items() if path.exists()}


def _reached(world: World, step: Step) -> bool:
    """Whether the step is being worked on, or done already."""
    run = _run(world)
    if run is None or step == STEPS[0]:
        return run is not None and (run.folder / "request.json").exists()
    return STEPS[STEPS.index(step) - 1] in _found(run)


@pytest.mark.parametrize("step", STEPS)
def test_it_goes_on_where_it_was_killed(world: World, step: Step) -> None:
    pytest.importorskip("sklearn", reason="heads need scikit-learn: pip install 'understudy[convert]'")
    world.log([world.sorted_message(number) for number in range(260)])
    world.engine.dispose()
    command = [sys.executable, "-m", "cli.main", "convert", "--config", str(world.config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as converting:
        deadline = time.monotonic() + _DEADLINE
        while not _reached(world, step) and converting.poll() is None:
            assert time.monotonic() < deadline
        converting.kill()
    killed, before = _run(world), _found(_run(world))
    assert killed is not None
    was_done = killed.finished
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    latest = _run(world)
    assert latest is not None
    assert was_done or latest.name == killed.name
    after = _found(killed)
    assert {name: after[name] for name in before} == before  # what was found is not found again
    assert set(after) == set(STEPS)
    assert killed.finished
    assert world.stores.routers.current() is not None
    rows = world.stores.deployments.list()
    assert len({row.understudy for row in rows}) == len(rows) <= 1
    drafts = Path(world.folder / "state" / "artifacts").rglob(".draft-*")
    assert not [draft for draft in drafts if "router" in draft.parts or "report" in draft.parts]
