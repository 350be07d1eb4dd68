"""vLLM's metrics, summed over its engine cores."""

from __future__ import annotations

import pytest

from serving.vllm.load import EngineLoad, engine_load, tokens_an_hour

TWO_CORES = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="base"} 3.0
vllm:num_requests_running{engine="1",model_name="base"} 2.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="base"} 7.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="base"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="base"} 0.5
# TYPE vllm:generation_tokens counter
vllm:generation_tokens_total{engine="0",model_name="base"} 11.0
vllm:generation_tokens_created{engine="0",model_name="base"} 1.7e9
"""


@pytest.mark.parametrize(
    ("metrics", "load"),
    [
        (TWO_CORES, EngineLoad(running=5, waiting=7, cache_use=0.5, generation_tokens=11)),
        ("", EngineLoad()),
        ("# nothing of vLLM's\nother_total 3\n", EngineLoad()),
    ],
)
def test_load_is_read_from_metrics(metrics: str, load: EngineLoad) -> None:
    assert engine_load(metrics) == load


def test_the_pace_is_read_from_metrics() -> None:
    started = "process_start_time_seconds 1000.0\nvllm:prompt_tokens_total 400.0\nvllm:generation_tokens_total 100.0\n"
    assert tokens_an_hour(started, now=1000 + 1800) == 1000
    assert tokens_an_hour("vllm:prompt_tokens_total 400.0\n") == 0


def test_what_is_not_metrics_is_refused() -> None:
    with pytest.raises(ValueError, match="could not convert"):
        engine_load("<html>{not metrics")
