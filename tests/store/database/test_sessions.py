"""Sessions: named by the agent, or seen in the prefix that calls share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.store.database.conftest import CallMaker, Opened

FIRST = "Where is my order number 4711?"
ANSWER = "It is on its way."


def _call(name: str, arguments: str, call_id: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _sessions(opened: Opened, *records: Any) -> list[str]:
    sink = opened.sink()
    for record in records:
        sink.write([record], [])
    return [opened.calls.list()[index].session for index in reversed(range(len(records)))]


@pytest.mark.parametrize("batch", ["one by one", "in one batch", "with a restart between"])
def test_a_later_call_continues_the_session_whose_answer_it_repeats(
    opened: Opened, new_call: CallMaker, batch: str
) -> None:
    first = new_call(1, new_call.chat(FIRST), new_call.answered(1, ANSWER))
    other = new_call(2, new_call.chat("Something else"), new_call.answered(2, "Certainly, at once."))
    second = new_call(
        3, new_call.chat(FIRST, ANSWER, "And when does it arrive?"), new_call.answered(3, "On Monday.")
    )
    third = new_call(4, new_call.chat(FIRST, ANSWER, "And when does it arrive?", "On Monday.", "Thanks!"))
    sink = opened.sink()
    if batch == "in one batch":
        sink.write([first, other, second, third], [])
    else:
        for record in (first, other, second, third):
            sink.write([record], [])
            sink = opened.sink() if batch == "with a restart between" else sink
    sessions = [call.session for call in reversed(opened.calls.list())]
    assert sessions[0] == sessions[2] == sessions[3] != sessions[1]
    assert len(opened.calls.session(sessions[0])) == 3


@pytest.mark.parametrize(
    "echo",
    [
        {"role": "assistant", "content": None, "tool_calls": [_call("look_up", '{"a": 1}', "call_1")]},
        {"role": "assistant", "tool_calls": [_call("look_up", '{ "a":1 }', "call_other")]},
        {
            "role": "assistant",
            "content": "",
            "refusal": None,
            "audio": None,
            "tool_calls": [_call("look_up", '{"a":1}', "x")],
        },
        {
            "role": "assistant",
            "content": [],
            "function_call": None,
            "tool_calls": [_call("look_up", '{"a":1}', "x")],
        },
    ],
    ids=["verbatim", "spaced", "nulls added", "lists added"],
)
def test_what_sdks_add_does_not_matter(opened: Opened, new_call: CallMaker, echo: dict[str, Any]) -> None:
    answer = new_call.answered(1)
    answer["choices"][0]["message"] = {
        "role": "assistant",
        "content": None,
        "tool_calls": [_call("look_up", '{"a":1}', "call_1")],
    }
    request = new_call.chat(FIRST)
    later = {
        **request,
        "messages": [*request["messages"], echo, {"role": "tool", "content": "3", "tool_call_id": "x"}],
    }
    one, two = _sessions(opened, new_call(1, request, answer), new_call(2, later))
    assert one == two


def test_instructions_may_change_between_calls(opened: Opened, new_call: CallMaker) -> None:
    first, second = new_call.chat(FIRST), new_call.chat(FIRST, ANSWER, "And when?")
    second["messages"][0]["content"] = "The time is now 12:34. You answer questions about orders."
    one, two = _sessions(opened, new_call(1, first, new_call.answered(1, ANSWER)), new_call(2, second))
    assert one == two


def test_the_same_question_twice_is_two_sessions(opened: Opened, new_call: CallMaker) -> None:
    one, two = _sessions(opened, new_call(1, new_call.chat(FIRST)), new_call(2, new_call.chat(FIRST)))
    assert one != two


def test_a_name_decides(opened: Opened, new_call: CallMaker) -> None:
    first = new_call(1, new_call.chat(FIRST), new_call.answered(1, ANSWER), session="mine")
    second = new_call(2, new_call.chat(FIRST, ANSWER, "And when?"), session="yours")
    third = new_call(3, new_call.chat("Something quite different"), session="mine")
    one, two, three = _sessions(opened, first, second, third)
    assert one == three != two
    assert [call.id for call in opened.calls.session("mine")] == [
        call.id for call in opened.calls.session(one)
    ]


def test_responses_continue_by_items_and_by_id(opened: Opened, new_call: CallMaker) -> None:
    output = [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "content": [{"type": "output_text", "text": ANSWER}],
        },
    ]
    question = {"role": "user", "content": FIRST}
    records = [
        new_call(1, {"model": "m", "input": FIRST}, {"id": "resp_1", "output": output}, endpoint="responses"),
        new_call(
            2,
            {"model": "m", "input": [question, *output, {"role": "user", "content": "And when?"}]},
            {"id": "resp_2", "output": []},
            endpoint="responses",
        ),
        new_call(
            3,
            {"model": "m", "input": "Thanks", "previous_response_id": "resp_2"},
            {"id": "resp_3", "output": []},
            endpoint="responses",
        ),
        new_call(4, {"model": "m", "input": "Thanks"}, {"id": "resp_4", "output": []}, endpoint="responses"),
    ]
    one, two, three, four = _sessions(opened, *records)
    assert one == two == three != four


def test_messages_continue_by_blocks(opened: Opened, new_call: CallMaker) -> None:
    answer = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": ANSWER},
        {"type": "tool_use", "id": "t1", "name": "look_up", "input": {"a": 1}},
    ]
    request = {
        "model": "c",
        "max_tokens": 10,
        "messages": [{"role": "user", "content": [{"type": "text", "text": FIRST}]}],
    }
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "3"}]}
    later = {
        **request,
        "system": [{"type": "text", "text": "Answer briefly and politely, please."}],
        "messages": [{"role": "user", "content": FIRST}, {"role": "assistant", "content": answer}, result],
    }
    body = {"id": "m1", "type": "message", "role": "assistant", "content": answer}
    first = new_call(1, request, body, endpoint="messages")
    one, two = _sessions(opened, first, new_call(2, later, body, endpoint="messages"))
    assert one == two
