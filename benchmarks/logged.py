"""Reads from a running proxy's `/stats` how many calls its database holds."""

from __future__ import annotations

import json
import time
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from benchmarks.peers.peer import Served


def statistics(served: Served, window: str = "all") -> dict[str, Any]:
    """The proxy's `/stats`; raises OSError or ValueError."""
    with urlopen(f"http://{urlsplit(served.url).netloc}/stats?window={window}", timeout=30) as answer:
        result: dict[str, Any] = json.load(answer)
        return result


def logged_calls(served: Served, at_least: int, *, seconds: float = 180.0) -> tuple[int, float]:
    """Wait until the database holds that many calls; returns how many it holds, and the seconds waited."""
    started = time.monotonic()
    calls = 0
    while calls < at_least and time.monotonic() < started + seconds:
        try:
            calls = int(statistics(served)["calls"])
        except (OSError, HTTPException, ValueError, KeyError) as error:
            print(f"/stats did not answer: {error}", flush=True)
        time.sleep(0.5)
    return calls, time.monotonic() - started
