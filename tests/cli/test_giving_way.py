"""Whether a process that leads a session gives way with all of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """\
import os
from pathlib import Path
from cli.giving_way import give_way
give_way(7)
session = Path("/proc/self/autogroup")
print(os.nice(0), session.read_text() if session.exists() else "")
"""


@pytest.mark.parametrize("leads", [True, False])
def test_the_process_is_nicer_and_its_own_session_too(leads: bool) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, start_new_session=leads
    )
    niceness, _, session = finished.stdout.strip().partition(" ")
    assert int(niceness) == min(19, os.nice(0) + 7)
    if not session:
        pytest.skip("this process is in no session that the kernel weighs")
    assert session.split()[-1] == ("7" if leads else Path("/proc/self/autogroup").read_text().split()[-1])
