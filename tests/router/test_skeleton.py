"""Prompts without their values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.skeleton import HEAD, LINES, masked, says_nothing, sentences, skeleton


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Order 1234 of 2026-11-22", "Order # of #"),
        ("Write to jane.doe@example.com today", "Write to # today"),
        ("See https://example.com/a for more", "See # for more"),
        ('The title is "A Life" by him', "The title is # by him"),
        ("Use `jq` here", "Use # here"),
        ("You're late, don't wait", "You're late, don't wait"),
        ("Say 'yes' now", "Say # now"),
        ("  many   spaces\there ", "many spaces here"),
        ("Auftrag „Lampe“ prüfen", "Auftrag # prüfen"),
        ("« Bonjour » dit-il", "# dit-il"),
        ("日本語 の 文", "日本語 の 文"),
    ],
)
def test_masks(line: str, expected: str) -> None:
    assert masked(line) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "You are Scorer. You're an expert scorer.\nScore it.",
            ["You are Scorer", "You're an expert scorer"],
        ),
        ("You are Scorer.\nYou're an expert scorer", ["You are Scorer", "You're an expert scorer"]),
        ("You are Data Researcher\n. You know things.", ["You are Data Researcher", "You know things"]),
        ("# Airline Agent Policy\n\nThe time is 2024-05-15.", ["Airline Agent Policy", "The time is"]),
        ("Current Task: count to 3", ["Current Task", "count to"]),
        ("", []),
        ("\n \n", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert list(sentences(text))[:2] == expected


@pytest.mark.parametrize(
    ("line", "nothing"),
    [
        ("You are a helpful assistant.", True),
        ("You are an AI", True),
        ("Hi!", True),
        ("", True),
        ("---", True),
        ("You are a helpful weather assistant.", False),
        ("You are Scorer", False),
    ],
)
def test_openings_that_say_nothing(line: str, nothing: bool) -> None:
    assert says_nothing(line) is nothing


def test_values_do_not_count() -> None:
    one = skeleton("You are Clerk.\nToday is 2026-11-22.\nThe customer is 'Ann'.")
    other = skeleton("You are Clerk.\nToday is 2027-01-02.\nThe customer is 'Bob Lee'.")
    assert one == other


def test_words_count() -> None:
    assert skeleton("You are Clerk.\nSettle claims.") != skeleton("You are Clerk.\nAnswer mail.")
    assert (
        skeleton("You are Clerk.\nSettle claims.").opening == skeleton("You are Clerk.\nAnswer mail.").opening
    )


def test_the_middle_of_a_long_prompt_is_left_out() -> None:
    head, tail = "You are Clerk.\n" + "a b\n" * HEAD, "The end."
    assert skeleton(head + "x\n" * 90_000 + tail) == skeleton(head + "y\n" * 110_000 + tail)


@given(st.text(max_size=3_000))
def test_any_text_has_one(text: str) -> None:
    found = skeleton(text)
    assert found == skeleton(text)
    assert len(found.lines) <= LINES
    assert len(set(found.lines)) == len(found.lines)


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "'" * 50_000, '"a' * 50_000, "1" * 100_000, "\ud800 x", "\x00\x1a"]
)
def test_hostile_texts(text: str) -> None:
    assert skeleton(text).digest
