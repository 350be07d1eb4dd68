"""A backtest for the dashboard, in a process of its own: reading a million calls must not slow the data path."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

import orjson

from proxy.errors import Refusal

_LIMIT_SECONDS: Final = 600.0
_NICENESS: Final = 10


class BacktestProcess:
    """Runs `understudy rules backtest`, one at a time; may be called from any thread."""

    def __init__(self, configuration: Path | None) -> None:
        self._configuration = configuration
        self._running = threading.Lock()

    def __call__(self, text: str, window: str) -> dict[str, Any]:
        """What a text would have done to the calls of a window, as `--json` tells it; raises Refusal."""
        if self._configuration is None:
            raise Refusal(409, "There is no file to compare with: the defaults are in force.", code="no_file")
        if not self._running.acquire(blocking=False):
            raise Refusal(409, "Another backtest is running; try again when it is through.", code="busy")
        try:
            return self._run(self._configuration, text, window)
        finally:
            self._running.release()

    def _run(self, configuration: Path, text: str, window: str) -> dict[str, Any]:
        # Beside the file in force, so that relative paths in it mean the same.
        with tempfile.NamedTemporaryFile(
            "w", suffix=".yaml", dir=_beside(configuration), delete=True
        ) as draft:
            draft.write(text)
            draft.flush()
            command = [sys.executable, "-m", "cli.main", "rules", "backtest", "--json", "--window", window]
            command += ["--rules", draft.name, "--config", str(configuration)]
            try:
                ended = subprocess.run(  # noqa: S603  (our own command)
                    command, capture_output=True, check=False, timeout=_LIMIT_SECONDS, preexec_fn=_step_back
                )
            except subprocess.TimeoutExpired:
                raise Refusal(
                    504, "The backtest took too long; choose a shorter window.", code="slow"
                ) from None
        if ended.returncode:
            said = ended.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise Refusal(500, f"The backtest failed: {said[-1]}", kind="proxy_error", code="backtest_failed")
        report: dict[str, Any] = orjson.loads(ended.stdout)
        return report


def _beside(configuration: Path) -> str | None:
    folder = configuration.resolve().parent
    return str(folder) if os.access(folder, os.W_OK) else None


def _step_back() -> None:
    os.nice(_NICENESS)
