from __future__ import annotations

from typing import Any

import pytest

from router.decision import Endpoint, Query
from router.limits import call_limit, slm_limit
from router.read import Reading
from router.rule import Slm

TURN = [{"role": "user", "content": "hi"}]
FUNCTION = {"type": "function", "function": {"name": "refund", "parameters": {}}}


def part(kind: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "see"}, {"type": kind}]}]


def reading(endpoint: Endpoint, body: dict[str, Any], size: int = 100) -> Reading:
    return Reading(Query(endpoint, body, size))


PINNED: list[tuple[Endpoint, dict[str, Any], str]] = [
    ("other", {"model": "text-embedding-3-small", "input": "x"}, "endpoint"),
    ("responses", {"input": "x", "previous_response_id": "resp_1"}, "previous_response_id"),
    ("responses", {"input": "x", "conversation": "conv_1"}, "conversation"),
    ("responses", {"input": "x", "conversation": {"id": "conv_1"}}, "conversation"),
    ("responses", {"input": "x", "background": True}, "background"),
    ("responses", {"input": "x", "store": True}, "store"),
    ("responses", {"input": "x", "prompt": {"id": "pmpt_1"}}, "prompt"),
    ("responses", {"input": "x", "include": ["reasoning.encrypted_content"]}, "include"),
    ("responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}, "items"),
    ("responses", {"input": [{"type": "reasoning", "encrypted_content": "x"}]}, "items"),
    ("responses", {"input": "x", "tools": [{"type": "custom", "name": "sql"}]}, "tools"),
    ("messages", {"messages": TURN, "container": "c_1"}, "container"),
    ("messages", {"messages": TURN, "mcp_servers": [{"url": "x"}]}, "mcp_servers"),
    ("messages", {"messages": TURN, "thinking": {"type": "enabled"}}, "thinking"),
    ("messages", {"messages": TURN, "tools": [{"type": "web_search_20250305"}]}, "tools"),
    ("messages", {"messages": part("document")}, "files"),
    ("chat.completions", {"messages": TURN, "store": True}, "store"),
    ("chat.completions", {"messages": TURN, "n": 2}, "n asks"),
    ("chat.completions", {"messages": TURN, "n": "2"}, "n asks"),
    ("chat.completions", {"messages": TURN, "logprobs": True}, "logprobs"),
    ("chat.completions", {"messages": TURN, "logit_bias": {"5": 1}}, "logit_bias"),
    ("chat.completions", {"messages": TURN, "functions": [{"name": "f"}]}, "functions"),
    (
        "chat.completions",
        {"messages": TURN, "web_search_options": {"search_context_size": "low"}},
        "web_search",
    ),
    ("chat.completions", {"messages": TURN, "modalities": ["text", "audio"]}, "audio"),
    ("chat.completions", {"messages": part("input_audio")}, "audio"),
    ("chat.completions", {"messages": part("file")}, "files"),
    ("chat.completions", {"messages": TURN, "tools": [FUNCTION, {"type": "custom"}]}, "tools"),
    ("completions", {"prompt": "x", "best_of": 3}, "best_of"),
    ("completions", {"prompt": "x", "logprobs": 0}, "logprobs"),
    ("completions", {"prompt": "x", "suffix": "end"}, "suffix"),
    ("completions", {"prompt": [1, 2, 3]}, "token numbers"),
    ("completions", {"prompt": ["a", "b"]}, "batch"),
    *(
        ("responses", {"input": "x", "tools": [{"type": hosted}]}, "tools")
        for hosted in (
            "web_search",
            "file_search",
            "code_interpreter",
            "computer_use_preview",
            "mcp",
            "image_generation",
            "local_shell",
        )
    ),
]


@pytest.mark.parametrize(("endpoint", "body", "reason"), PINNED)
def test_what_only_the_provider_can_answer_stays_with_it(
    endpoint: Endpoint, body: dict[str, Any], reason: str
) -> None:
    assert reason in call_limit(reading(endpoint, body))


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("chat.completions", {"messages": TURN}),
        ("chat.completions", {"messages": TURN, "n": 1, "logprobs": False, "store": False}),
        ("chat.completions", {"messages": TURN, "n": None, "logit_bias": {}, "functions": None}),
        ("chat.completions", {"messages": TURN, "tools": [FUNCTION], "modalities": ["text"]}),
        ("chat.completions", {"messages": part("image_url")}),
        ("completions", {"prompt": "x"}),
        ("completions", {"prompt": ["x"], "best_of": 1}),
        ("responses", {"input": "x"}),
        ("responses", {"input": "x", "store": False, "previous_response_id": None, "include": []}),
        ("responses", {"input": [{"role": "user", "content": "hi"}, {"type": "function_call_output"}]}),
        ("responses", {"input": "x", "tools": [{"type": "function", "name": "refund"}]}),
        ("messages", {"messages": TURN, "tools": [{"name": "refund", "input_schema": {}}]}),
        ("messages", {"messages": TURN, "thinking": {"type": "disabled"}}),
    ],
)
def test_ordinary_calls_are_not_held_back(endpoint: Endpoint, body: dict[str, Any]) -> None:
    assert call_limit(reading(endpoint, body)) == ""


def test_the_default_of_store_on_responses_is_not_taken_for_a_wish() -> None:
    assert call_limit(reading("responses", {"input": "x"})) == ""


@pytest.mark.parametrize(
    ("size", "limit", "context", "fits"),
    [
        (4000, {}, 1000, True),
        (4004, {}, 1000, False),
        (4000, {"max_tokens": 1}, 1000, False),
        (2000, {"max_completion_tokens": 500}, 1000, True),
        (2000, {"max_output_tokens": 501}, 1000, False),
        (2000, {"max_tokens": True}, 1000, True),
        (2000, {"max_tokens": "many"}, 1000, True),
        (4_000_000, {}, None, True),
    ],
)
def test_a_call_must_fit_the_context(
    size: int, limit: dict[str, Any], context: int | None, fits: bool
) -> None:
    reason = slm_limit(reading("chat.completions", {"messages": TURN, **limit}, size), Slm("s", context))
    assert ("context" in reason) is not fits


@pytest.mark.parametrize(("images", "reason"), [(True, ""), (False, "the call holds images")])
def test_images_need_a_model_that_sees(images: bool, reason: str) -> None:
    assert (
        slm_limit(reading("chat.completions", {"messages": part("image_url")}), Slm("s", images=images))
        == reason
    )
