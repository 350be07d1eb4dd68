"""The command line and environment of a server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from serving.vllm.errors import EngineNotStarted
from serving.vllm.launch import Launch
from serving.vllm.process import running
from tests.serving.vllm.conftest import free_port


def test_adapters_may_come_at_run_time() -> None:
    launch = Launch(model="/models/base", name="base", port=8000, rank=32)
    command = " ".join(launch.command(Path("python")))
    assert "--enable-lora --max-lora-rank 32" in command
    assert "float32" not in command
    assert launch.environment({"HOME": "/h"}) == {
        "HOME": "/h",
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }


def test_a_cpu_gets_its_own_flags() -> None:
    launch = Launch(
        model="/models/base", name="base", port=8000, on_cpu=True, cache_gib=2, flags=("--seed", "1")
    )
    command = launch.command(Path("python"))
    assert {"--enforce-eager", "float32"} <= set(command)
    assert command[-2:] == ("--seed", "1")
    assert launch.environment({})["VLLM_CPU_KVCACHE_SPACE"] == "2"


def test_an_interpreter_without_vllm_is_told_with_the_remedy(tmp_path: Path) -> None:
    launch = Launch(model="/models/base", name="base", port=free_port())
    with (
        pytest.raises(EngineNotStarted, match=r"has no vLLM.*--python"),
        running(launch, Path(sys.executable), tmp_path / "log", os.environ),
    ):
        raise AssertionError


def test_an_interpreter_that_is_not_there_is_told(tmp_path: Path) -> None:
    launch = Launch(model="/models/base", name="base", port=free_port())
    with (
        pytest.raises(EngineNotStarted, match=r"nowhere.*No such file"),
        running(launch, tmp_path / "nowhere", tmp_path / "log", os.environ),
    ):
        raise AssertionError
