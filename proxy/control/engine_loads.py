"""How busy the servers of generative models say they are, asked for when somebody looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from threading import Lock
from typing import Any, Final

from config.load import Configuration

_FRESH_SECONDS: Final = 2.0
"""Looks within this time share one answer."""

_AT_ONCE: Final = 8

Load = Mapping[str, Any]


class EngineLoads:
    """Reads the metrics of every vLLM server of the configuration in force; may be called from any thread."""

    def __init__(self, configuration: Callable[[], Configuration]) -> None:
        self._configuration = configuration
        self._lock = Lock()
        self._read: Mapping[str, Load] = {}
        self._read_at = float("-inf")

    def __call__(self) -> Mapping[str, Load]:
        """The load by URL; servers that do not answer are left out."""
        with self._lock:
            if time.monotonic() - self._read_at > _FRESH_SECONDS:
                self._read = self._ask()
                self._read_at = time.monotonic()
            return self._read

    def _ask(self) -> Mapping[str, Load]:
        configuration = self._configuration()
        asked = [
            (url, configuration.engine_keys.get(name, ""))
            for name, engine in configuration.settings.engines.items()
            if engine.kind == "vllm"
            for url in engine.urls
        ]
        if not asked:
            return {}
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            answers = threads.map(_load, asked)
            return {url: load for (url, _), load in zip(asked, answers, strict=True) if load is not None}


def _load(server: tuple[str, str]) -> Load | None:
    # An HTTP client that only this page needs: workers without such engines do without its weight.
    from serving.vllm.client import VllmClient  # noqa: PLC0415
    from serving.vllm.errors import EngineAway, EngineRefused  # noqa: PLC0415
    from serving.vllm.load import engine_load  # noqa: PLC0415

    try:
        with VllmClient(*server) as client:
            return asdict(engine_load(client.metrics()))
    except (EngineAway, EngineRefused, ValueError):
        return None
