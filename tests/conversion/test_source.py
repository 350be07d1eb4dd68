"""Which calls of the log can be learned from, and why the others cannot."""

from __future__ import annotations

from typing import Any

import pytest

from conversion.audited import Audited
from conversion.example import Example
from conversion.source import Span, read
from store.deployments import DeploymentRow, PairRow
from store.keyring import Sealer
from store.pair_answers import PairAnswers
from tests.conversion.conftest import World, completion
from wire.answer import Answer

_SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "n", "schema": {"type": "object", "required": ["a"]}},
}
_TOOL = {
    "type": "function",
    "function": {"name": "find", "parameters": {"type": "object", "required": ["id"]}},
}


def _call(name: str, arguments: str) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
    return completion("", "tool_calls", tool_calls=[call])


@pytest.mark.parametrize(
    ("reason", "request_", "response", "fields"),
    [
        ("failed", {}, completion("yes"), {"status": 500}),
        ("failed", {}, {"error": {"type": "rate_limit", "message": "slow down"}}, {"status": 429}),
        ("failed", {}, completion("yes"), {"status": 499}),
        ("replaced", {}, completion("yes"), {"route": "slm", "understudy": "a@1"}),
        ("not routable", {}, completion("yes"), {"endpoint": "other", "path": "/v1/embeddings"}),
        ("incomplete", {}, completion("yes"), {"response_size": 10_000_000}),
        ("content not stored", {}, None, {"response_size": 100}),
        ("unreadable", {}, b"<html>", {}),
        ("truncated", {}, completion("yes and", "length"), {}),
        ("truncated", {}, completion("yes and", ""), {}),
        ("refused", {}, completion("I cannot", "content_filter"), {}),
        ("refused", {}, completion("", refusal="I cannot"), {}),
        ("empty", {}, completion(""), {}),
        ("schema broken", {"response_format": _SCHEMA}, completion('{"b": 1}'), {}),
        ("schema broken", {"response_format": _SCHEMA}, completion("no JSON"), {}),
        ("schema broken", {"tools": [_TOOL]}, _call("find", "{}"), {}),
        ("schema broken", {"tools": [_TOOL]}, _call("other", '{"id": 1}'), {}),
        ("beyond small models", {"n": 2}, completion("yes"), {}),
        ("beyond small models", {"logprobs": True}, completion("yes"), {}),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_learned_from(
    world: World, reason: str, request_: dict[str, Any], response: Any, fields: dict[str, Any]
) -> None:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Is it?"}]} | request_
    world.log([world.record(body, response, **fields)])
    assert list(read(world.stores.calls, Span())) == [reason]


def test_examples_have_everything_the_newest_first(world: World) -> None:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Find 7"}], "tools": [_TOOL]}
    world.log(
        [
            world.asked("You help.", "Is it?", "yes", session="mine"),
            world.record(body, _call("find", '{"id":7}'), task="desk/find"),
        ]
    )
    second, first = read(world.stores.calls, Span())
    assert isinstance(first, Example)
    assert isinstance(second, Example)
    assert (first.answer.text, first.label, first.model) == ("yes", "", "gpt-4o-mini-2024-07-18")
    assert (first.input_tokens, first.output_tokens) == (100, 5)
    assert second.answer.tool_calls[0].arguments == '{"id":7}'
    assert second.label == "desk/find"
    assert first.session != second.session
    [recognised, _] = read(world.stores.calls, Span(), known={"desk/find"})
    assert isinstance(recognised, Example)
    assert recognised.label == ""


def test_pages_do_not_matter_and_the_span_is_kept(world: World) -> None:
    world.log([world.asked("You help.", f"Is it {number}?", "yes") for number in range(450)])
    everything = [item for item in read(world.stores.calls, Span()) if isinstance(item, Example)]
    assert len({example.call_id for example in everything}) == 450
    assert [example.started for example in everything] == sorted(
        (example.started for example in everything), reverse=True
    )
    assert len(list(read(world.stores.calls, Span(limit=201)))) == 201
    middle = everything[200].started
    since = [item for item in read(world.stores.calls, Span(since=middle)) if isinstance(item, Example)]
    assert len(since) == 201
    until = [item for item in read(world.stores.calls, Span(until=middle)) if isinstance(item, Example)]
    assert len(until) == 249


def test_an_empty_log_gives_nothing(world: World) -> None:
    assert list(read(world.stores.calls, Span())) == []


def test_a_replaced_call_that_was_audited_is_learned_from_with_the_llms_answer(world: World) -> None:
    world.log([world.asked("You help.", "Is it?", "no", route="slm", understudy="help@1")])
    call_id = world.stores.calls.list()[0].id
    deployed = DeploymentRow("help@1", "help", "label", "heads", "help@1", "somewhere")
    world.stores.deployments.create(deployed)
    answers = PairAnswers(Sealer(world.ring))
    sealed = answers.seal("help@1", call_id, Answer("yes", finish_reason="stop"))
    pair = PairRow("help@1", call_id, "audit", 1, agreed=False, answer=sealed)
    world.stores.deployments.record("help@1", [pair], b"", None, 1)
    assert list(read(world.stores.calls, Span())) == ["replaced"]
    [example] = read(world.stores.calls, Span(), audit=Audited(world.stores.deployments, answers))
    assert isinstance(example, Example)
    assert example.answer.text == "yes"
