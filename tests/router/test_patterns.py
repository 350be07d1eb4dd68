from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.patterns import PatternError, pattern


@pytest.mark.parametrize(
    ("source", "text", "matches"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o*", "gpt-4o-mini", True),
        ("gpt-4o*", "GPT-4o", False),
        ("*", "", True),
        ("", "", True),
        ("", "x", False),
        ("gpt-?o", "gpt-4o", True),
        ("gpt-?o", "gpt-o", False),
        ("?", "\n", True),
        ("*mini", "gpt-4o-mini", True),
        ("*mini", "mini-gpt", False),
        ("You are*planner*", "You are\nthe\nplanner.", True),
        ("a*a", "a", False),
        ("a*b*b", "ab", False),
        ("[gpt]", "[gpt]", True),
        ("[gpt]", "g", False),
        ("a.c", "abc", False),
        ("/v1", "/v1", True),
        ("//", "//", True),
        ("/refund|return/", "please return it", True),
        ("/Refund/", "refund", False),
        ("/Refund/i", "refund", True),
        ("/^b/", "a\nb", False),
        ("/^b/m", "a\nb", True),
        ("/a.b/", "a\nb", False),
        ("/a.b/s", "a\nb", True),
        (r"/a\/b/", "a/b", True),
        ("/a b/x", "ab", True),
    ],
)
def test_matching(source: str, text: str, matches: bool) -> None:
    assert pattern(source).matches(text) is matches


def test_an_expression_that_would_never_end_does_not_match() -> None:
    """Python's own search would take longer than the test may: every further letter doubles its time."""
    assert not pattern("/^(a|aa)+$/").matches("a" * 60 + "b")
    assert pattern("/^(a|aa)+$/").matches("a" * 60)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/((/", "not a regular expression"),
        ("/a/q", "unknown flag 'q'"),
        ("/a/I", "unknown flag 'I'"),
        ("/a{99999999999999999999}/", "not a regular expression"),
        ("/*a/", "not a regular expression"),
    ],
)
def test_a_bad_pattern_says_why_and_what_would_be_right(source: str, message: str) -> None:
    with pytest.raises(PatternError, match=re.escape(message)) as raised:
        pattern(source)
    assert raised.value.remedy


@given(st.text("ab*?\n[.", max_size=12), st.text("ab\n[.", max_size=20))
def test_globs_agree_with_the_standard_library(glob: str, text: str) -> None:
    literal = glob.replace("[", "[[]")  # ours have no character classes
    assert pattern(glob).matches(text) is fnmatch.fnmatchcase(text, literal)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_a_pattern_or_a_pattern_error(source: str, text: str) -> None:
    try:
        compiled = pattern(source)
    except PatternError:
        return
    assert compiled.matches(text) in (True, False)


def test_many_stars_do_not_explode() -> None:
    assert not pattern("*a" * 30 + "*b").matches("a" * 20_000)
