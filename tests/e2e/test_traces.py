"""Recorded calls through the proxy: byte-equal with direct ones, and every one in the database."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.equality import TRACES, data_folder, replay


@pytest.mark.traces
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "limit"), TRACES)
def test_recorded_calls_pass_unchanged(name: str, limit: int | None, tmp_path: Path) -> None:
    trace = data_folder() / f"{name}.jsonl.xz"
    if not trace.exists():
        pytest.skip(f"no recorded calls at {trace}: set UNDERSTUDY_DATA")
    result = replay(trace, tmp_path, limit)
    assert result.complete, f"{result}; {result.refused} not answered with 200; {result.differences}"
    assert result.fell_back > 0
