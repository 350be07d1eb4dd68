"""Calls read back: bodies equal as JSON to what was sent, whatever was sent."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import zlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store import call_id
from store.calls import Filters
from store.reading import DECODERS, RAW_LIMIT
from store.record import CLIENT_LEFT, Attempt, Record

if TYPE_CHECKING:
    from tests.store.database.conftest import CallMaker, Opened

DATA = Path(os.environ.get("UNDERSTUDY_DATA", Path(__file__).parents[4] / "shared" / "data"))

_text = st.text(st.characters(codec="utf-8"), max_size=40)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=12,
)
_body = st.dictionaries(
    st.sampled_from(
        ["messages", "input", "tools", "system", "id", "usage", "choices", "model", "content", "a"]
    ),
    _json,
    max_size=6,
)


def _stored(opened: Opened, record: Record) -> Any:
    opened.sink().write([record], [])
    call = opened.calls.get(call_id.show(record.id))
    assert call is not None
    return call


def test_any_json_body_is_given_back_equal(opened: Opened, new_call: CallMaker) -> None:
    numbers = iter(range(1, 1_000_000))
    sink = opened.sink()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(request=_body, response=_body)
    def check(request: dict[str, Any], response: dict[str, Any]) -> None:
        record = new_call(next(numbers), json.dumps(request).encode(), json.dumps(response).encode())
        assert sink.write([record], []) == 1
        call = opened.calls.get(record.id.hex())
        assert call is not None
        for stored, sent in ((call.request, request), (call.response, response)):
            assert stored.kind == "json"
            assert json.loads(stored.data) == sent

    check()


@pytest.mark.parametrize(
    "response",
    [{"id": -(1 << 63) - 1}, {"created": 1 << 200, "usage": {"total_tokens": 10**30}}, {"id": {"a": [1.5]}}],
)
def test_odd_values_where_each_call_has_its_own(
    opened: Opened, new_call: CallMaker, response: dict[str, Any]
) -> None:
    call = _stored(opened, new_call(1, None, response))
    assert json.loads(call.response.data) == response


_ODD = [
    b"not json",
    b'"a string"',
    b"[1, 2, 3]",
    b"\xff\xfe not utf-8",
    b'{"messages": [{"role": "user", "content": "half a pair: \\ud800"}]}',
    b'{"messages": [1e999]}',
    b'{"messages": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"a": "unfinished',
]


@pytest.mark.parametrize("body", _ODD, ids=range(len(_ODD)))
def test_what_cannot_be_taken_apart_is_kept_as_it_was(
    opened: Opened, new_call: CallMaker, body: bytes
) -> None:
    call = _stored(opened, new_call(1, body, body))
    assert call.request.kind == call.response.kind == "raw"
    assert call.request.data == call.response.data == body


def test_large_numbers_and_odd_spellings_come_back(opened: Opened, new_call: CallMaker) -> None:
    body = b'{ "seed" : 123456789012345678901234567890, "messages": [ {"content" : "\\u00e9\\u0000", "n": 1.0e2} ], "seed2": -0.0 }'
    call = _stored(opened, new_call(1, body, body))
    assert json.loads(call.request.data) == json.loads(body)
    assert json.loads(call.response.data) == json.loads(body)


def test_other_endpoints_are_kept_raw_and_bounded(opened: Opened, new_call: CallMaker) -> None:
    large = os.urandom(RAW_LIMIT + 1000)
    call = _stored(opened, new_call(1, b'{"input": "x"}', large, endpoint="other", path="/v1/embeddings?a=1"))
    assert call.request.data == b'{"input": "x"}'
    assert call.response.data == large[:RAW_LIMIT]
    assert call.circumstances.path == "/v1/embeddings?a=1"


def test_truncated_and_withheld_bodies_are_flagged(opened: Opened, new_call: CallMaker) -> None:
    cut = _stored(opened, new_call(1, b'{"messages": [{"ro', request_size=10_000))
    assert cut.summary.truncated
    assert cut.request.kind == "raw"
    withheld = _stored(opened, msgspec.structs.replace(new_call(2), request=None, response=None))
    assert withheld.request.kind == withheld.response.kind == "none"


def test_a_stream_is_kept_as_the_answer_that_it_adds_up_to(opened: Opened, new_call: CallMaker) -> None:
    chunks = [
        {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        for choice in (
            {"index": 0, "delta": {"role": "assistant", "content": "It is on "}, "finish_reason": None},
            {"index": 0, "delta": {"content": "its way to you."}, "finish_reason": None},
            {"index": 0, "delta": {}, "finish_reason": "stop"},
        )
    ]
    events = (
        b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    )
    spliced = {
        **chunks[0],
        "choices": [],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
    }
    record = new_call(
        1,
        None,
        events,
        stream=True,
        response_type="text/event-stream; charset=utf-8",
        usage_response=b"data: " + json.dumps(spliced).encode() + b"\n\n",
    )
    call = _stored(opened, record)
    assert call.summary.stream
    assert json.loads(call.response.data)["choices"][0]["message"]["content"] == "It is on its way to you."
    assert (call.summary.usage.input, call.summary.usage.output) == (7, 5)
    assert call.summary.usage_source == "spliced"


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", _deflated),
        ("zstd", zstandard.ZstdCompressor().compress),
        ("ZSTD", lambda data: b"".join(map(zstandard.ZstdCompressor().compress, (data[:50], data[50:])))),
    ],
)
def test_compressed_responses_are_read(
    opened: Opened, new_call: CallMaker, coding: str, pack: Callable[[bytes], bytes]
) -> None:
    body = json.dumps(new_call.answered(1)).encode()
    call = _stored(opened, new_call(1, None, pack(body), response_encoding=coding))
    assert json.loads(call.response.data) == json.loads(body)
    assert call.summary.usage_source == "reported"


@pytest.mark.parametrize("coding", sorted(DECODERS))
def test_a_broken_coding_leaves_the_bytes(opened: Opened, new_call: CallMaker, coding: str) -> None:
    broken = _stored(opened, new_call(2, None, b"\x1f\x8b broken", response_encoding=coding))
    assert broken.response.data == b"\x1f\x8b broken"


def test_everything_known_of_a_call_is_shown(opened: Opened, new_call: CallMaker) -> None:
    record = new_call(
        1,
        route="slm",
        target="gpu0",
        served_model="intents-0.6b",
        understudy="intents",
        task="support/intent",
        rule="intents",
        confidence=0.97,
        key="k1",
        session="chat-17",
        attempts=(Attempt("slm", "gpu0", 500, "status", 10), Attempt("slm", "gpu0", 200, "", 20)),
        user_agent="OpenAI/Python 3",
    )
    call = _stored(opened, record)
    shown = call.summary
    assert (shown.route, shown.target, shown.model, shown.served_model) == (
        "slm",
        "gpu0",
        "gpt-4o",
        "intents-0.6b",
    )
    assert (shown.task, shown.rule, shown.understudy, shown.key) == (
        "support/intent",
        "intents",
        "intents",
        "k1",
    )
    assert (shown.usage.input, shown.usage.cached_input, shown.usage.output) == (60, 40, 10)
    assert shown.usage_source == "reported"
    assert shown.cost == 100 * 10 + 10 * 10
    assert shown.list_cost == 60 * 2500 + 40 * 1250 + 10 * 10_000
    assert shown.cost_avoided == shown.list_cost - shown.cost
    assert call.attempts == record.attempts
    assert call.session_name == "chat-17"
    assert call.upstream_request_id == "req_1"
    assert call.circumstances.user_agent == "OpenAI/Python 3"
    assert call.circumstances.config == "0123abcd"


def test_a_call_left_by_its_client_is_estimated(opened: Opened, new_call: CallMaker) -> None:
    partial = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "It is on"}}]}
    shown = _stored(opened, new_call(1, None, partial, status=CLIENT_LEFT)).summary
    assert shown.usage_source == "estimated"
    assert shown.usage.output == 2


def test_impossible_token_counts_are_not_believed(opened: Opened, new_call: CallMaker) -> None:
    answer = new_call.answered(1)
    answer["usage"]["prompt_tokens"] = 10**30
    shown = _stored(opened, new_call(1, None, answer)).summary
    assert shown.usage_source == "estimated"
    assert shown.usage.input < 100


def test_lists_are_filtered_and_paged(opened: Opened, new_call: CallMaker) -> None:
    records = [
        new_call(number, status=500 if number % 5 == 0 else 200, task=f"t{number % 2}", rule=f"r{number % 3}")
        for number in range(30)
    ]
    opened.sink().write(records, [])
    calls = opened.calls
    newest_first = [call_id.show(record.id) for record in reversed(records)]
    assert [call.id for call in calls.list()] == newest_first
    page = calls.list(Filters(limit=10))
    assert [call.id for call in calls.list(Filters(limit=10, before=page[-1].id))] == newest_first[10:20]
    assert len(calls.list(Filters(status=500))) == 6
    assert len(calls.list(Filters(task="t1"))) == 15
    assert len(calls.list(Filters(rule="r0", task="t0"))) == 5
    assert len(calls.list(Filters(model="gpt-4o", route="upstream"))) == 30
    assert calls.list(Filters(route="slm")) == []
    assert len(calls.list(Filters(since=records[10].started_us, until=records[20].started_us))) == 10


_WANTED: list[dict[str, Any]] = [
    {},
    {"task": "t3"},
    {"task": "t3", "status": 500},
    {"task": "t3", "status": 200, "route": "upstream"},
    {"status": 500},
    {"status": 200},
    {"status": 418},
    {"session": "s2"},
    {"session": "s2", "status": 500},
    {"session": "s2", "task": "t1"},
    {"model": "unheard-of"},
    {"task": "t1", "rule": "r1", "session": "unheard-of"},
]


@pytest.mark.parametrize("wanted", _WANTED, ids=str)
def test_whatever_is_sought_pages_hold_all_of_it(
    opened: Opened, new_call: CallMaker, wanted: dict[str, Any]
) -> None:
    """The calls of more series than one statement asks for, against a search by hand."""
    records = [
        new_call(
            number,
            status=500 if number % 7 == 0 else 200,
            task=f"t{number % 5}",
            rule=f"r{number % 120}",
            session=f"s{number % 3}",
        )
        for number in range(250)
    ]
    opened.sink().write(records, [])
    calls = opened.calls
    page = calls.list(Filters(**wanted, limit=10))
    found = list(page)
    while page:
        page = calls.list(Filters(**wanted, limit=10, before=page[-1].id))
        found += page
    columns = {"model": "requested_model"}
    expected = [
        call_id.show(record.id)
        for record in reversed(records)
        if all(getattr(record, columns.get(name, name)) == value for name, value in wanted.items())
    ]
    assert [call.id for call in found] == expected


def test_unknown_ids_find_nothing(opened: Opened) -> None:
    assert opened.calls.get("no id") is None
    assert opened.calls.get("01890000-0000-7000-8000-000000000000") is None


@pytest.mark.traces
def test_recorded_calls_come_back(opened: Opened, new_call: CallMaker) -> None:
    trace = DATA / "crewai_http.jsonl.xz"
    if not trace.exists():
        pytest.skip(f"no recorded calls at {trace}; set UNDERSTUDY_DATA")
    with lzma.open(trace) as lines:
        rows = [json.loads(line) for line in islice(lines, 200)]
    records = [new_call(number, row["request"], row["response"]) for number, row in enumerate(rows)]
    opened.sink().write(records, [])
    for record, row in zip(records, rows, strict=True):
        call = opened.calls.get(record.id.hex())
        assert call is not None
        assert json.loads(call.request.data) == row["request"]
        assert json.loads(call.response.data) == row["response"]
