"""Shell completion: verbs, what stands below them, options and their values."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("understudy ca", {"calls"}),
        ("understudy calls ", {"list", "show", "purge"}),
        ("understudy stats --window ", {"1h", "24h", "7d"}),
        ("understudy keys create x --role ", {"agent", "viewer"}),
    ],
)
def test_bash_is_offered_what_fits(typed: str, offered: set[str]) -> None:
    words = typed.split()
    place = len(words) - (0 if typed.endswith(" ") else 1)
    environment = {
        **os.environ, "_UNDERSTUDY_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(place),
    }  # fmt: skip
    code = "import sys; sys.argv[0] = 'understudy'; from cli.main import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert offered <= set(ran.stdout.split()), ran.stderr
