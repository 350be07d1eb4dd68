"""A disk that is full in the middle of a training: told with the remedy, and gone on with when there is room."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.test_disk_full import has_namespaces

_TRAIN = """\
import json, os, sys
from pathlib import Path
from conversion.candidate import TrainingError
from conversion.finetune.base_model import BaseModel
from conversion.finetune.candidate import TunedCandidate
from conversion.finetune.training import Schedule
from tests.conversion.finetune.conftest import data_of, extractions

base, disk, more = sys.argv[1:]
data, steps = data_of(extractions(36)), []
candidate = TunedCandidate(BaseModel("tiny", base, 512), "lora", Schedule(batch=8, fewest_steps=6, fewest_epochs=2, rank=4))
try:
    candidate.train(data, Path(disk) / "work", lambda done, of: steps.append(done))
    told = ""
except TrainingError as error:
    told = str(error)
tuned = (Path(disk) / "work" / "tuned").exists()
os.system(f"mount -o remount,size={more} {disk}")
trained = candidate.train(data, Path(disk) / "work", lambda done, of: None)
print(json.dumps({"told": told, "steps": steps, "tuned": tuned, "in the end": trained.files.is_dir()}))
"""


@pytest.mark.skipif(not has_namespaces(), reason="needs user namespaces, to mount a small disk")
@pytest.mark.parametrize("room", ["64k", "400k"])
def test_it_is_told_and_gone_on_with(base: Path, tmp_path: Path, room: str) -> None:
    """Little room is used up by the first file of a checkpoint, more of it by a later one: others write those."""
    disk, script = tmp_path / "disk", tmp_path / "train.py"
    disk.mkdir()
    script.write_text(_TRAIN)
    mounted = 'mount -t tmpfs -o size=$2 tmpfs "$1" && shift 2 && exec "$@"'
    command = [sys.executable, str(script), str(base), str(disk), "64m"]
    done = subprocess.run(
        [str(shutil.which("unshare")), "-Urm", "sh", "-c", mounted, "sh", str(disk), room, *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    page = json.loads(done.stdout.splitlines()[-1])
    assert page["told"] == (
        f"the disk of '{disk}/work' is full; free some space and convert again, it goes on from its last checkpoint"
    )
    assert page["steps"]
    assert (page["tuned"], page["in the end"]) == (False, True)
