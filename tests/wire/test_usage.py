"""Each token is counted in one bucket, whichever provider did the counting."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.shape import Endpoint
from wire.usage import Usage, estimate, read_usage

BRIEF = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize(
    ("endpoint", "stated", "usage"),
    [
        ("chat.completions", {"prompt_tokens": 10, "completion_tokens": 4}, Usage(10, 0, 0, 4, 0)),
        (
            "chat.completions",
            {
                "prompt_tokens": 100,
                "completion_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 15, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(25, 60, 15, 9, 5),
        ),
        (
            "chat.completions",
            {"prompt_tokens": 10, "completion_tokens": 1, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2},
            Usage(2, 8, 0, 1, 0),
        ),
        ("chat.completions", {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": None}, Usage(10, 0, 0, 1, 0)),
        ("chat.completions", {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 9}}, Usage(0, 6, 4, 0, 0)),
        ("completions", {"prompt_tokens": 3, "completion_tokens": 2}, Usage(3, 0, 0, 2, 0)),
        (
            "responses",
            {
                "input_tokens": 30,
                "input_tokens_details": {"cached_tokens": 20},
                "output_tokens": 7,
                "output_tokens_details": {"reasoning_tokens": 6},
            },
            Usage(10, 20, 0, 7, 6),
        ),
        (
            "messages",
            {"input_tokens": 5, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 7, "output_tokens": 3},
            Usage(5, 90, 7, 3, 0),
        ),
        ("messages", {"input_tokens": 5, "cache_read_input_tokens": None, "output_tokens": 3}, Usage(5, 0, 0, 3, 0)),
    ],
)  # fmt: skip
def test_read_usage(endpoint: Endpoint, stated: dict[str, Any], usage: Usage) -> None:
    assert read_usage(endpoint, {"usage": stated}) == usage


@pytest.mark.parametrize(
    ("endpoint", "stated"),
    [
        ("chat.completions", None),
        ("chat.completions", {}),
        ("chat.completions", "many"),
        ("chat.completions", {"prompt_tokens": -1, "completion_tokens": 1}),
        ("chat.completions", {"prompt_tokens": "10", "completion_tokens": 1}),
        ("chat.completions", {"prompt_tokens": 1.5, "completion_tokens": 1}),
        ("chat.completions", {"prompt_tokens": True, "completion_tokens": 1}),
        ("chat.completions", {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 9}}),
        ("responses", {"prompt_tokens": 5, "completion_tokens": 1}),
        ("messages", {"input_tokens": 5, "output_tokens": [3]}),
    ],
)  # fmt: skip
def test_what_cannot_be_true_is_no_usage(endpoint: Endpoint, stated: Any) -> None:
    assert read_usage(endpoint, {"usage": stated}) is None


@BRIEF
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_input_buckets_sum_to_the_prompt(whole: int, cached: int, written: int, output: int) -> None:
    details = {"cached_tokens": cached, "cache_write_tokens": written}
    stated = {"prompt_tokens": whole, "completion_tokens": output, "prompt_tokens_details": details}
    usage = read_usage("chat.completions", {"usage": stated})
    if usage is None:
        assert cached > whole
    else:
        assert usage.total == whole + output
        assert min(usage.input, usage.cached_input, usage.cache_write) >= 0


def test_estimate_counts_text_and_leaves_images_out() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000}}
    request = {"messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 400}, image]}]}
    response = {"choices": [{"message": {"content": "y" * 40}}]}
    usage = estimate("chat.completions", request, response)
    assert 100 <= usage.input <= 115
    assert usage.output == 10
