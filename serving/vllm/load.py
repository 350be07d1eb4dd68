"""How busy an engine is, read from its metrics."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

_GAUGES: Final = {
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
    "vllm:kv_cache_usage_perc": "cache_use",
    "vllm:prompt_tokens_total": "prompt_tokens",
    "vllm:generation_tokens_total": "generation_tokens",
    "vllm:num_preemptions_total": "preemptions",
}


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """A server's load; counts are since it started, and over all its engine cores."""

    running: int = 0
    """Requests being answered."""
    waiting: int = 0
    """Requests in its queue."""
    cache_use: float = 0.0
    """Share of the KV cache in use, of the fullest core."""
    prompt_tokens: int = 0
    generation_tokens: int = 0
    preemptions: int = 0
    """Requests put back because the KV cache was full."""


def tokens_an_hour(metrics: str, now: float | None = None) -> float:
    """Tokens that a server has read and written an hour since it started; 0 where it does not say since when. Raises
    ValueError for what is not in the text format."""
    started = 0.0
    for family in text_string_to_metric_families(metrics):
        started = max(
            (sample.value for sample in family.samples if sample.name == "process_start_time_seconds"),
            default=started,
        )
    if not started:
        return 0.0
    load = engine_load(metrics)
    hours = max(((time.time() if now is None else now) - started) / 3600, 1 / 60)
    return (load.prompt_tokens + load.generation_tokens) / hours


def engine_load(metrics: str) -> EngineLoad:
    """Read vLLM's metrics; what is not there counts as 0. Raises ValueError for what is not in the text format."""
    sums = dict.fromkeys(_GAUGES.values(), 0.0)
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            field = _GAUGES.get(sample.name)
            if field == "cache_use":
                sums[field] = max(sums[field], sample.value)
            elif field is not None:
                sums[field] += sample.value
    cache_use = sums.pop("cache_use")
    return EngineLoad(cache_use=round(cache_use, 4), **{name: int(value) for name, value in sums.items()})
