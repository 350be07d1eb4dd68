"""Exact keys: what counts and what does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decision import Endpoint, Query
from router.fingerprint import Fingerprint, Fingerprints

TOOL = {
    "type": "function",
    "function": {"name": "find", "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}},
}
OTHER = {"type": "function", "function": {"name": "count", "parameters": {"type": "object"}}}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "Score",
        "schema": {"type": "object", "properties": {"score": {"type": "integer"}}},
    },
}


def read(body: dict[str, Any], endpoint: Endpoint = "chat.completions") -> Fingerprint:
    return Fingerprints().read(Query(endpoint, body, 0))


def chat(system: str | None = "You are Clerk.\nSettle claims.", *said: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}] if system is not None else []
    return {
        "messages": [*messages, *({"role": "user", "content": each} for each in said or ("Hello there",))],
        **more,
    }


BASE = chat()


@pytest.mark.parametrize(
    "body",
    [
        chat("You are Clerk.\nSettle claims.", "Something else"),
        chat(temperature=0.1, model="other", stream=True, user="x"),
        chat(tool_choice="auto"),
        chat(response_format={"type": "text"}),
        chat(tools=[]),
        {
            "messages": [
                {"role": "developer", "content": [{"type": "text", "text": "You are Clerk.\nSettle claims."}]}
            ]
        },
    ],
)
def test_the_same_key(body: dict[str, Any]) -> None:
    assert read(body).key == read(BASE).key


@pytest.mark.parametrize(
    "body",
    [
        chat("You are Clerk.\nAnswer mail."),
        chat(tools=[TOOL]),
        chat(response_format={"type": "json_object"}),
        chat(response_format=SCHEMA),
        chat(tool_choice="required"),
        {"messages": [*chat()["messages"], {"role": "tool", "tool_call_id": "1", "content": "7"}]},
    ],
)
def test_another_key(body: dict[str, Any]) -> None:
    assert read(body).key != read(BASE).key


def test_tools_count_in_any_order_and_whatever_their_descriptions() -> None:
    described = {**TOOL, "function": {**TOOL["function"], "description": "finds"}}  # type: ignore[dict-item]
    assert read(chat(tools=[TOOL, OTHER])).key == read(chat(tools=[OTHER, described])).key
    assert read(chat(tools=[TOOL, OTHER])).shape.tools == ("count", "find")


def test_parameters_of_tools_count() -> None:
    changed = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    assert read(chat(tools=[TOOL])).key != read(chat(tools=[changed])).key


def test_a_schema_counts() -> None:
    changed = {"type": "json_schema", "json_schema": {"name": "Score", "schema": {"type": "object"}}}
    assert read(chat(response_format=SCHEMA)).key != read(chat(response_format=changed)).key


@pytest.mark.parametrize("system", [None, "", "You are a helpful assistant."])
def test_the_first_user_text_stands_in(system: str | None) -> None:
    one, other = read(chat(system, "Translate to French: cat")), read(chat(system, "Sum up: a story"))
    assert one.key != other.key
    assert one.broad_key == other.broad_key is not None


def test_instructions_that_speak_need_no_stand_in() -> None:
    assert read(BASE).broad is None
    assert read(BASE).broad_key is None


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("responses", {"instructions": "You are Clerk.\nSettle claims.", "input": "Hello"}),
        (
            "messages",
            {"system": "You are Clerk.\nSettle claims.", "messages": [{"role": "user", "content": "Hello"}]},
        ),
        ("completions", {"prompt": "You are Clerk.\nSettle claims."}),
    ],
)
def test_every_endpoint_has_fingerprints(endpoint: Endpoint, body: dict[str, Any]) -> None:
    found = read(body, endpoint)
    assert found.prompt.opening == read(BASE).prompt.opening
    assert found.key != read(BASE).key


@pytest.mark.parametrize(
    ("endpoint", "last"),
    [
        ("chat.completions", {"role": "tool", "content": "7"}),
        ("chat.completions", {"role": "function", "content": "7"}),
        ("messages", {"role": "user", "content": [{"type": "tool_result", "content": "7"}]}),
        ("responses", {"type": "function_call_output", "output": "7"}),
    ],
)
def test_a_tool_result_comes_last(endpoint: Endpoint, last: dict[str, Any]) -> None:
    member = "input" if endpoint == "responses" else "messages"
    assert read({member: [{"role": "user", "content": "Hello"}, last]}, endpoint).shape.after_tool
    assert not read({member: [last, {"role": "user", "content": "Hello"}]}, endpoint).shape.after_tool


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4)
    ),
    max_leaves=12,
)
MEMBERS = st.sampled_from(
    [
        "messages",
        "input",
        "prompt",
        "system",
        "instructions",
        "tools",
        "functions",
        "tool_choice",
        "response_format",
        "text",
    ]
)


@given(
    st.dictionaries(MEMBERS, JSON, max_size=6),
    st.sampled_from(["chat.completions", "completions", "responses", "messages", "other"]),
)
def test_any_body_has_one(body: dict[str, Any], endpoint: Endpoint) -> None:
    assert read(body, endpoint) == read(body, endpoint)
    assert len(read(body, endpoint).key) == 16


def test_memory_is_bounded() -> None:
    fingerprints = Fingerprints(kept=2)
    for system in ("You are A1.\nOne.", "You are B.\nTwo.", "You are C.\nThree.", "You are A1.\nOne."):
        assert fingerprints.read(Query("chat.completions", chat(system), 0)) == read(chat(system))
