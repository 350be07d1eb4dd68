"""The journal's disk full: agents are served, what could not be kept is counted, and it goes on when there is room."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.chaos.load import agents
from tests.chaos.stage import Stage, eventually

pytestmark = pytest.mark.chaos

DISK_BYTES = 2 << 20


def has_namespaces() -> bool:
    """Whether this user may mount a small disk for a process of theirs."""
    tool = shutil.which("unshare")
    return (
        bool(tool)
        and subprocess.run([str(tool), "-Urm", "true"], capture_output=True, check=False).returncode == 0
    )


def fill(disk: Path) -> None:
    """Take all room there is; again later, since deleted segments make room."""
    descriptor = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        while True:
            os.write(descriptor, bytes(4096))
    except OSError:
        return
    finally:
        os.close(descriptor)


@pytest.mark.skipif(not has_namespaces(), reason="needs user namespaces, to mount a small disk")
async def test_a_full_disk(stage: Stage, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    stage.state.mkdir()
    stage.start(disk_bytes=DISK_BYTES)
    disk = Path(f"/proc/{stage.process.pid}/root{stage.state}")
    async with agents(stage.url, seed=seed) as load:
        await load.more(20)

        def losing() -> bool:
            fill(disk)
            return bool(stage.stats()["lag"]["lost"])

        await asyncio.to_thread(eventually, losing, "lost records in /stats")
        assert "LOST, agents are still served" in stage.said()
        (disk / "filler").unlink()
        await asyncio.to_thread(eventually, lambda: "writing again" in stage.said(), "a word of recovery")
        recovered = asyncio.get_running_loop().time()
        await load.more(40)
    await asyncio.to_thread(stage.await_shipped)
    counted = stage.stats()["lag"]["lost"]

    assert stage.stop() == 0
    lost = load.ids - set(stage.stored())
    with capsys.disabled():
        print(
            f"\ndisk full: seed {seed}, {len(load.whole)} calls, failed 0, lost {len(lost)}, said to be {counted}"
        )
    assert not load.failed
    assert len(lost) == counted
    assert not {each.call_id for each in load.whole if each.began > recovered} & lost
