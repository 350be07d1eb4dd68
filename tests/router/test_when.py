from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from router.decision import Query
from router.read import Reading
from router.when import KEYS, WhenError, known, when

MakeQuery = Callable[..., Query]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "order", "schema": {}}}
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("search_orders", "refund")]
IMAGE = [{"type": "image_url", "image_url": {"url": "data:,"}}]


@pytest.mark.parametrize(
    ("key", "value", "call", "matches"),
    [
        ("endpoint", "chat.*", {}, True),
        ("endpoint", "responses", {}, False),
        ("model", "gpt-4o*", {}, True),
        ("model", ["o3", "gpt-4o-mini"], {}, True),
        ("model", ["o3", "o4"], {}, False),
        ("model", "*", {"model": 7}, True),
        ("system", "You are the planner*", {"system": "You are the planner.\nPlan."}, True),
        ("system", "You are the planner*", {}, False),
        ("user", "/refund/i", {"user": "A REFUND please"}, True),
        ("user", "/refund/i", {"user": "hello"}, False),
        ("tools", "refund", {"tools": TOOLS}, True),
        ("tools", ["cancel", "search_*"], {"tools": TOOLS}, True),
        ("tools", "cancel", {"tools": TOOLS}, False),
        ("tools", "*", {}, False),
        ("response_format", "json_schema", {"response_format": SCHEMA}, True),
        ("response_format", "json_*", {"response_format": {"type": "json_object"}}, True),
        ("response_format", "text", {}, True),
        ("response_format", "json_schema", {"response_format": "json_schema"}, False),
        ("task", "support/*", {"headers": {"x-understudy-task": "support/intent"}}, True),
        ("task", "support/*", {}, False),
        ("key", "k_*", {"key": "k_7"}, True),
        ("key", "k_*", {}, False),
        ("header.X-Team", "billing", {"headers": {"x-team": "billing"}}, True),
        ("header.x-team", "billing", {}, False),
        ("metadata.agent", "planner", {"metadata": {"agent": "planner"}}, True),
        ("metadata.turn", "3", {"metadata": {"turn": 3}}, True),
        ("metadata.final", "true", {"metadata": {"final": True}}, True),
        ("metadata.agent", "planner", {"metadata": "planner"}, False),
        ("stream", True, {"stream": True}, True),
        ("stream", False, {}, True),
        ("stream", True, {"stream": "yes"}, False),
        ("images", True, {"messages": [{"role": "user", "content": IMAGE}]}, True),
        ("images", False, {}, True),
        ("tokens", "<4000", {"size": 15_999}, True),
        ("tokens", "<4000", {"size": 16_000}, False),
        ("tokens", "<=4000", {"size": 16_000}, True),
        ("tokens", ">=100", {"size": 400}, True),
        ("tokens", "> 100", {"size": 400}, False),
        ("tokens", "100..4000", {"size": 400}, True),
        ("tokens", "100 .. 4000", {"size": 399}, False),
        ("tokens", 100, {"size": 400}, True),
    ],
)
def test_one_condition(chat: MakeQuery, key: str, value: object, call: dict[str, Any], matches: bool) -> None:
    assert when({key: value}).matches(Reading(chat(**call))) is matches


def test_all_conditions_must_hold(chat: MakeQuery) -> None:
    both = when({"model": "gpt-4o*", "system": "You are*"})
    assert both.matches(Reading(chat(system="You are kind.")))
    assert not both.matches(Reading(chat(system="Be kind.")))
    assert not both.matches(Reading(chat(system="You are kind.", model="o3")))


def test_no_condition_holds_for_every_call(chat: MakeQuery) -> None:
    assert when({}).matches(Reading(chat()))


def test_cheap_conditions_are_tested_first() -> None:
    tested = when({"system": "You are*", "user": "*", "model": "o3"}).conditions
    assert [condition.key for condition in tested] == ["model", "system", "user"]


def test_what_was_read_is_not_read_again(chat: MakeQuery) -> None:
    reading = Reading(chat(system="You are kind."))
    assert reading.system is reading.system


@pytest.mark.parametrize(
    ("key", "value", "message", "remedy"),
    [
        ("modle", "x", "is not a key of when", "did you mean 'model'?"),
        ("header", "x", "is not a key of when", "the keys are endpoint"),
        ("header.", "x", "is not a key of when", ""),
        ("nonsense", "x", "is not a key of when", "the keys are endpoint"),
        ("model", 5, "is not a pattern", "write a glob"),
        ("model", [], "is not a pattern", "write a glob"),
        ("model", None, "is not a pattern", "write a glob"),
        ("model", ["gpt", 5], "is not a pattern", "quotes"),
        ("model", ["gpt", "/(/"], "is not a regular expression", "backslash"),
        ("stream", "true", "is neither true nor false", "without quotes"),
        ("tokens", "4k", "is not a number of tokens", "<4000"),
        ("tokens", "9..1", "is not a number of tokens", "<4000"),
        ("tokens", True, "is not a number of tokens", "<4000"),
        ("tokens", [1], "is not a number of tokens", "<4000"),
    ],
)
def test_a_bad_condition_says_why_and_what_would_be_right(
    key: str, value: object, message: str, remedy: str
) -> None:
    with pytest.raises(WhenError, match=re.escape(message)) as raised:
        when({key: value})
    assert raised.value.key == key
    assert remedy in raised.value.remedy


def test_the_bad_member_of_a_list_is_named() -> None:
    with pytest.raises(WhenError) as raised:
        when({"model": ["a", "b", "/(/"]})
    assert raised.value.index == 2


def test_known_keys() -> None:
    assert all(map(known, (*KEYS, "header.x", "metadata.y")))
    assert not any(map(known, ("header.", "metadata.", "Model", "")))
