from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from router.decision import Query
from router.read import Reading
from router.share import position

MakeQuery = Callable[..., Query]


def at(query: Query, salt: str = "rule") -> float:
    return position(Reading(query), salt)


def test_a_named_session_keeps_its_place_whatever_it_says(chat: MakeQuery) -> None:
    headers = {"x-understudy-session": "s-1"}
    assert at(chat("one", headers=headers)) == at(chat("two", system="new", headers=headers))


def test_a_conversation_keeps_its_place_as_it_grows(chat: MakeQuery) -> None:
    first = chat("hello", system="You are kind.")
    messages = [
        *first.body["messages"],
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "more"},
    ]
    assert at(first) == at(chat(messages=messages))


def test_users_keys_and_rules_are_told_apart(chat: MakeQuery) -> None:
    places = {
        at(chat("a")),
        at(chat("b")),
        at(chat("a", key="k_1")),
        at(chat("a", system="s")),
        at(chat("a"), "other rule"),
        at(chat("a", headers={"x-understudy-session": "a"})),
    }
    assert len(places) == 6


def test_a_share_takes_about_that_part_of_sessions(chat: MakeQuery) -> None:
    below = sum(at(chat(f"user {number}")) < 0.25 for number in range(4000))
    assert 900 < below < 1100  # fixed inputs: the count is always the same


@given(st.text(), st.text(), st.text())
def test_every_place_is_below_one(system: str, user: str, salt: str) -> None:
    body = {"messages": [{"role": "system", "content": system}, {"role": "user", "content": user}]}
    assert 0 <= at(Query("chat.completions", body, 0), salt) < 1


def test_half_a_surrogate_pair_is_no_obstacle(chat: MakeQuery) -> None:
    assert 0 <= at(chat("\ud83d")) < 1
