"""Values of people replaced before storage: in every shape of body, the same everywhere, and nothing else changed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.records import record_of
from cli.context import open_store
from cli.shipping import sink_of
from conversion.privacy.checksums import luhn_valid
from conversion.privacy.stored import StoredVeil
from store.calls import Calls, Filters
from store.keyring import DIGEST, KeyRing, MasterKey, Sealer
from store.prices import Prices
from store.reading import Reader
from store.record import Record

EMAIL = "ana.lopez7@example.org"
CARD = "4111 1111 1111 1111"
ASKED = f"I am {EMAIL}, my card is {CARD}."


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing([MasterKey.generate()])


def _messages(*said: str) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [{"role": roles[turn % 2], "content": text} for turn, text in enumerate(said)]


def _completion(text: str, arguments: str = "") -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if arguments:
        function = {"name": "save", "arguments": arguments}
        message["tool_calls"] = [{"id": "call_5500005555555559", "type": "function", "function": function}]
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": "stop",
        "logprobs": {"content": [{"token": EMAIL}]},
    }
    usage = {"prompt_tokens": 31, "completion_tokens": 7, "total_tokens": 38}
    return {"id": "chatcmpl-1", "model": "gpt-4o", "choices": [choice], "usage": usage}


def _call(request: Any, response: Any, **fields: Any) -> Record:
    bodies = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in (request, response)]
    return record_of(request=bodies[0], response=bodies[1], **fields)


def _json(body: bytes | None) -> Any:
    return json.loads(body or b"null")


def _holds_no_value(record: Record) -> bool:
    stored = (record.request or b"") + (record.response or b"")
    return all(value.encode() not in stored for value in (EMAIL, CARD, "41111111", "example.org"))


def test_a_value_has_the_same_surrogate_in_prompt_arguments_and_answer(ring: KeyRing) -> None:
    tools = [{"type": "function", "function": {"name": "save", "parameters": {"default": EMAIL}}}]
    arguments = json.dumps({"email": EMAIL, "card": 4111111111111111, "n": 3})
    request = {"model": "gpt-4o", "messages": _messages(ASKED), "user": EMAIL, "temperature": 0.1}
    stored = StoredVeil(ring).record(_call(request, _completion(f"Noted, {EMAIL}.", arguments)))
    assert _holds_no_value(stored)
    asked, answered = _json(stored.request), _json(stored.response)
    email = asked["user"]
    assert asked["messages"][0]["content"].startswith(f"I am {email}, my card is ")
    assert asked["temperature"] == 0.1
    message = answered["choices"][0]["message"]
    assert message["content"] == f"Noted, {email}."
    saved = json.loads(message["tool_calls"][0]["function"]["arguments"])
    assert (saved["email"], saved["n"]) == (email, 3)
    assert luhn_valid(str(saved["card"]))
    assert str(saved["card"]) == asked["messages"][0]["content"].split("is ")[1].rstrip(".").replace(" ", "")
    assert message["tool_calls"][0]["id"] == "call_5500005555555559"
    assert answered["choices"][0]["logprobs"] is None
    assert answered["usage"] == _completion("")["usage"]
    with_tools = StoredVeil(ring).record(_call(request | {"tools": tools}, {}))
    assert _json(with_tools.request)["tools"] == tools


def test_a_stream_is_stored_as_its_answer_with_the_usage_that_was_asked_for(ring: KeyRing) -> None:
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-4o"}
    pieces = ["Noted, ana.lop", "ez7@example", ".org."]
    events = [
        chunk | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": piece}}]}
        for piece in pieces
    ]
    stream = (
        b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    )
    spliced = chunk | {"choices": [], "usage": _completion("")["usage"]}
    record = _call(
        {"model": "gpt-4o", "messages": _messages("hello"), "stream": True},
        stream,
        stream=True,
        response_type="text/event-stream",
        usage_response=b"data: " + json.dumps(spliced).encode() + b"\n\n",
    )
    stored = StoredVeil(ring).record(record)
    assert _holds_no_value(stored)
    assert stored.request is record.request
    said = _json(stored.response)["choices"][0]["message"]["content"]
    assert said.startswith("Noted, ")
    assert "@" in said
    reading = Reader(Prices()).read(stored)
    assert (reading.usage.input, reading.usage.output, reading.usage_source) == (31, 7, 2)
    assert not stored.truncated


def test_compressed_answers_and_errors_are_read(ring: KeyRing) -> None:
    error = {"error": {"message": f"no account {EMAIL}", "type": "invalid_request_error"}}
    packed = gzip.compress(json.dumps(error).encode())
    stored = StoredVeil(ring).record(_call({}, packed, response_encoding="gzip", status=400))
    assert _holds_no_value(stored)
    assert stored.response_encoding == ""
    assert _json(stored.response)["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "fields",
    [
        {"endpoint": "other", "path": "/v1/embeddings"},
        {"request_size": 10_000, "response_size": 10_000},
    ],
)
def test_what_cannot_be_taken_apart_is_read_as_text(ring: KeyRing, fields: dict[str, Any]) -> None:
    record = _call(b'{"input": "%b' % ASKED.encode(), b"\xff%b" % ASKED.encode(), **fields)
    stored = StoredVeil(ring).record(record)
    assert _holds_no_value(stored)
    assert b"my card is " in (stored.request or b"")
    assert stored.truncated == record.truncated


@pytest.mark.parametrize(
    ("request_body", "response"),
    [
        ({"messages": _messages("no value here, order 493022")}, _completion("Shipped on 2026-11-27.")),
        (
            {"messages": [], "tools": [{"type": "function", "function": {"name": EMAIL}}]},
            _completion("Hello."),
        ),
        (b"", b""),
        (b"\x00\xff", b"\x00\xff"),
        ([], 7),
    ],
)
def test_a_call_without_values_stays_byte_for_byte(ring: KeyRing, request_body: Any, response: Any) -> None:
    if isinstance(response, dict):
        response["choices"][0]["logprobs"] = None
    record = _call(request_body, response)
    assert StoredVeil(ring).record(record) is record


def test_content_that_is_not_stored_is_no_trouble(ring: KeyRing) -> None:
    record = record_of(request=None, response=None)
    assert StoredVeil(ring).record(record) is record


def test_surrogates_hold_over_restarts_and_differ_by_key(ring: KeyRing) -> None:
    record = _call({"messages": _messages(ASKED)}, {})
    one, again = (StoredVeil(ring).record(record) for _ in range(2))
    other = StoredVeil(KeyRing([MasterKey.generate()])).record(record)
    assert one.request == again.request != other.request


def test_the_log_holds_surrogates_and_knows_sessions_all_the_same(tmp_path: Path) -> None:
    config = tmp_path / "understudy.yaml"
    config.write_text(
        f"version: 1\nstate_dir: {tmp_path}/state\nstore: {{url: 'sqlite:///{tmp_path}/log.db'}}\n"
        "privacy: {redact: before_storage}\n"
    )
    answer = f"Noted, {EMAIL}."
    first = _call({"messages": _messages(ASKED)}, _completion(answer), id=bytes(15) + b"\x01")
    second = _call(
        {"messages": _messages(ASKED, answer, "Thanks!")}, _completion("Welcome."), id=bytes(15) + b"\x02"
    )
    with open_store(config) as store:
        sink = sink_of(store.configuration, store.engine, store.ring)
        assert sink.write([first], []) + sink.write([second], []) == 2
        calls = Calls(store.engine, Sealer(store.ring), store.ring.active.derive(DIGEST))
        summaries = calls.list(Filters())
        shown = [calls.get(summary.id) for summary in summaries]
    assert len({summary.session for summary in summaries}) == 1
    bodies = [body.data for call in shown if call is not None for body in (call.request, call.response)]
    assert len(bodies) == 4
    assert all(EMAIL.encode() not in (body or b"") and b"4111" not in (body or b"") for body in bodies)
