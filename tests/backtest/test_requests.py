"""What the rules see of a stored request is what they saw of the request itself."""

from __future__ import annotations

import lzma
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtest.logged import Log
from benchmarks.equality import TRACES, data_folder
from router.decision import Endpoint, Query
from router.fingerprint import Fingerprints
from router.input_text import input_text
from router.limits import call_limit, slm_limit
from router.read import Reading
from router.rule import Slm
from router.subtasks import human_text
from tests.backtest.conftest import Stored, record
from wire import shape

LONG = "a text that is long enough to be kept by itself"
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "description": LONG, "parameters": {"type": "object"}},
}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 200}}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "order", "schema": {"type": "object", "title": LONG}},
}


def seen(endpoint: Endpoint, body: dict[str, Any], size: int) -> dict[str, Any]:
    """All that rules, limits and the share of sessions may read."""
    reading = Reading(Query(endpoint, body, size))
    names = (
        "model",
        "system",
        "user",
        "first_user",
        "tools",
        "response_format",
        "stream",
        "images",
        "tokens",
    )
    return {name: getattr(reading, name) for name in names} | {
        "metadata": reading.metadata("team"),
        "limit": call_limit(reading),
        "slm limit": slm_limit(reading, Slm("s", context=200)),
        "last role": shape.last_role(endpoint, body),
        "fingerprint": Fingerprints().read(reading.query),
        "input": input_text(endpoint, body),
        "human": human_text(endpoint, body),
        "roles": [turn.get("role") for turn in shape.turns(endpoint, body)],
    }


BODIES: list[tuple[Endpoint, dict[str, Any]]] = [
    ("chat.completions", {"messages": []}),
    ("chat.completions", {"messages": [{"role": "user", "content": "hi"}], "metadata": {"team": "red"}}),
    (
        "chat.completions",
        {
            "model": "gpt-4o",
            "stream": True,
            "tools": [TOOL],
            "response_format": SCHEMA,
            "metadata": {"team": LONG},
            "messages": [
                {"role": "system", "content": LONG},
                {"role": "user", "content": f"first {LONG}"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "1", "function": {"name": "look_up"}}],
                },
                {"role": "tool", "tool_call_id": "1", "content": f"found {LONG}"},
                {"role": "developer", "content": f"later {LONG}"},
                {"role": "user", "content": f"second {LONG}"},
                {"role": "user", "content": f"third {LONG}"},
                {"role": "tool", "tool_call_id": "2", "content": f"found more {LONG}"},
                {"role": "tool", "tool_call_id": "3", "content": f"and the rest {LONG}"},
            ],
        },
    ),
    (
        "chat.completions",
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": LONG}, IMAGE]},
                {"role": "assistant", "content": LONG},
                {"role": "user", "content": [{"type": "text", "text": f"and now? {LONG}"}]},
            ]
        },
    ),
    ("chat.completions", {"messages": [{"role": "user", "content": LONG}], "n": 2, "logprobs": True}),
    ("chat.completions", {"messages": "no list"}),
    ("chat.completions", {"messages": [{"role": "assistant", "content": LONG}, {"role": "assistant"}]}),
    (
        "chat.completions",
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
    ),
    ("completions", {"model": "m", "prompt": LONG, "max_tokens": 400}),
    ("completions", {"prompt": [LONG, LONG]}),
    ("responses", {"input": LONG, "instructions": LONG * 3, "store": True}),
    ("responses", {"input": "short", "previous_response_id": "resp_1"}),
    (
        "responses",
        {
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": LONG}]},
                {"type": "function_call", "name": "look_up", "arguments": '{"id": "' + LONG + '"}'},
                {"type": "function_call_output", "output": LONG},
                {"type": "item_reference", "id": "msg_1234567890123456"},
            ],
            "text": {"format": {"type": "json_schema", "schema": {"title": LONG * 2}}},
        },
    ),
    (
        "messages",
        {
            "system": [{"type": "text", "text": LONG * 2}],
            "tools": [{"name": "look_up", "description": LONG, "input_schema": {}}],
            "messages": [
                {"role": "user", "content": LONG},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "1", "name": "look_up", "input": {}}],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": LONG}]},
            ],
        },
    ),
]


@pytest.mark.parametrize(("endpoint", "body"), BODIES)
def test_rules_see_what_they_saw(stored: Stored, endpoint: Endpoint, body: dict[str, Any]) -> None:
    call = record(1, body, endpoint=endpoint)
    stored.fill([call])
    (found,) = Log(stored.scan()).calls()
    assert found.query is not None
    assert seen(endpoint, dict(found.query.body), found.query.size) == seen(endpoint, body, call.request_size)


_text = st.sampled_from(
    ["", "hi", "yes", LONG, f"another one: {LONG}", "Grüße an alle, die das hier lesen \u2028"]
)
_content = st.one_of(
    _text,
    st.none(),
    st.lists(st.one_of(_text.map(lambda said: {"type": "text", "text": said}), st.just(IMAGE)), max_size=3),
)
_turn = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "developer"]), "content": _content}
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conversations=st.lists(st.lists(_turn, max_size=8), min_size=1, max_size=6))
def test_conversations_of_any_kind(stored: Stored, conversations: list[list[dict[str, Any]]]) -> None:
    known = stored.scan().count()
    calls = [
        record(known + number, {"model": "gpt-4o", "messages": turns})
        for number, turns in enumerate(conversations)
    ]
    stored.fill(calls)
    read = [call.query for call in Log(stored.scan()).calls()][known:]
    for query, turns, call in zip(read, conversations, calls, strict=True):
        assert query is not None
        body = {"model": "gpt-4o", "messages": turns}
        assert seen("chat.completions", dict(query.body), query.size) == seen(
            "chat.completions", body, call.request_size
        )


@pytest.mark.traces
@pytest.mark.parametrize("name", [name for name, _ in TRACES])
def test_recorded_requests(stored: Stored, name: str) -> None:
    trace = data_folder() / f"{name}.jsonl.xz"
    if not trace.exists():
        pytest.skip(f"no recorded calls at {trace}: set UNDERSTUDY_DATA")
    with lzma.open(trace) as lines:
        bodies = [orjson.loads(line)["request"] for line in lines][::8]
    calls = [record(number, body) for number, body in enumerate(bodies)]
    stored.fill(calls)
    for body, call, found in zip(bodies, calls, Log(stored.scan()).calls(), strict=True):
        assert found.query is not None
        assert seen("chat.completions", dict(found.query.body), found.query.size) == seen(
            "chat.completions", body, call.request_size
        )


def test_texts_in_the_middle_stay_sealed(stored: Stored) -> None:
    middle = {"role": "assistant", "content": f"in the middle: {LONG}"}
    turns = [{"role": "user", "content": LONG}, middle, {"role": "user", "content": LONG + "!"}]
    stored.fill([record(1, {"messages": turns})])
    (found,) = Log(stored.scan()).calls()
    assert found.query is not None
    assert found.query.body["messages"][1] == {"role": "assistant", "content": ""}


def test_what_was_not_kept_whole_is_no_query(stored: Stored) -> None:
    stored.fill(
        [
            record(1, request=None, response=None),
            record(2, request=b"no json", request_size=7),
            record(3, request=b'{"messages"', request_size=900),
            record(4),
        ]
    )
    assert [call.query is None for call in Log(stored.scan()).calls()] == [True, True, True, False]


def test_headers_that_the_log_keeps(stored: Stored) -> None:
    stored.fill(
        [
            record(1, session="customer 4711", task="letters/sort"),
            record(2, reason="the agent asked for the upstream", rule=""),
            record(3),
        ]
    )
    named, opted_out, plain = (call.query.headers for call in Log(stored.scan()).calls() if call.query)
    assert named.get("x-understudy-session") == "customer 4711"
    assert named.get("x-understudy-task") == "letters/sort"
    assert opted_out.get("x-understudy-route") == "upstream"
    assert plain.get("x-understudy-session", "") == ""
    assert plain.get("user-agent") == "agent/1"
    assert plain.get("x-team") is None


def test_other_endpoints_are_no_calls_to_decide(stored: Stored) -> None:
    stored.fill([record(1, endpoint="other", path="/v1/files"), record(2)])
    assert len(list(Log(stored.scan()).calls())) == 1


def test_a_window_bounds_the_scan(stored: Stored) -> None:
    from store.scan import Scan  # noqa: PLC0415
    from tests.backtest.conftest import START_US  # noqa: PLC0415

    stored.fill([record(number) for number in range(10)])
    scan = Scan(stored.engine, stored.sealer, START_US + 3_000_000, START_US + 7_000_000)
    assert scan.count() == 4
    assert sum(map(len, scan.batches())) == 4
