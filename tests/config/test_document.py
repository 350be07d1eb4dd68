from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from config.document import Document, parse, spelled

ENVIRON = {"KEY": "secret", "EMPTY": ""}


def read(text: str) -> Document:
    return parse(text.encode(), "u.yaml", ENVIRON)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: off", "off"),
        ("a: no", "no"),
        ("a: 12:30", "12:30"),
        ("a: 2026-11-22", "2026-11-22"),
        ("a: 30s", "30s"),
        ("a: 010", 10),
        ("a: 0x10", "0x10"),
        ("a: true", True),
        ("a: 'true'", "true"),
        ("a: ~", None),
        ("a:", None),
        ("a: 1.5", 1.5),
        ("a: .inf", ".inf"),
        ("a: 1e999", "1e999"),
        ("a: '8'", "8"),
        ("a: [x, 1]", ["x", 1]),
        ("a: {4: x}", {"4": "x"}),
        ("a: |\n  two\n  lines\n", "two\nlines\n"),
        ("b: &x {c: 1}\na: *x", {"c": 1}),
        ("a: ${KEY}", "secret"),
        ("a: x-${KEY}-y", "x-secret-y"),
        ("a: ${NONE:-default}", "default"),
        ("a: ${EMPTY:-default}", "default"),
        ("a: ${NONE:-}", ""),
        ("a: ${EMPTY}", ""),
        ("a: $${KEY}", "${KEY}"),
        ("a: $KEY and $", "$KEY and $"),
    ],
)
def test_values(text: str, value: object) -> None:
    document = read(text)
    assert document.problems == ()
    assert document.values["a"] == value


def test_places_count_from_one() -> None:
    places = read("a:\n  - {b: x}\n").places
    place = places["a", 0, "b"]
    assert (place.line, place.column, place.key_line, place.key_column) == (2, 9, 2, 6)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null"])
def test_an_empty_file_is_empty(text: str) -> None:
    document = read(text)
    assert (document.values, document.problems) == ({}, ())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1", "u.yaml:1:6: not YAML: "),
        ("a: 1\n b: 2", "u.yaml:2:3: not YAML: "),
        ("a: 1\na: 2", "u.yaml:2:1: a: 'a' is here for the second time (first in line 1)"),
        ("- a", "u.yaml:1:1: the file is not a mapping"),
        ("just text", "u.yaml:1:1: the file is not a mapping"),
        ("a: ${NONE}", "u.yaml:1:4: a: '${NONE}' names the variable NONE, which is not set; set it or write"),
        ("a:\n - ${KEY-x}", "u.yaml:2:4: a[0]: '${KEY-x}' holds an unfinished ${"),
        ("{[x]: 1}", "u.yaml:1:2: a key must be a text"),
        ("a: !!python/name:os.system x", "u.yaml:1:4: a: 'tag:yaml.org,2002:python/name:os.system' is a"),
        ("a: !!set {x}", "is a tag this file does not use"),
        ("a: !secret x", "u.yaml:1:4: a: '!secret' is a tag this file does not use"),
        ("a: \x00", "u.yaml:1:1: the file holds the character '\\x00'"),
        ("a: *x", "u.yaml:1:4: not YAML: found undefined alias"),
        ("a: 1\n---\na: 2", "u.yaml:2:1: not YAML: "),
        ("a: &x [*x]", "stands for too many values"),
        ("a: " + "[" * 60 + "]" * 60, "stands for too many values"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    ],
)
def test_problems(text: str, problem: str) -> None:
    found = read(text).problems
    assert found
    assert problem in str(found[0])


def test_a_billion_laughs_end_early() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "stands for too many values" in str(read("\n".join(lines)).problems[0])


def test_text_that_is_not_utf8_is_refused_with_its_place() -> None:
    [problem] = parse(b"version: 1\nname: caf\xe9\n", "u.yaml", {}).problems
    assert str(problem).startswith("u.yaml:2:10: the file is not UTF-8")


def test_a_huge_file_is_refused() -> None:
    [problem] = parse(b"#" * (4 * 2**20 + 1), "u.yaml", {}).problems
    assert "larger than" in str(problem)


def test_a_byte_order_mark_is_no_obstacle() -> None:
    assert parse(b"\xef\xbb\xbfa: 1", "u.yaml", {}).values == {"a": 1}


def test_paths_are_spelled_as_people_write_them() -> None:
    assert spelled(("rules", 2, "when", "header.x")) == "rules[2].when.header.x"
    assert spelled(()) == ""


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.text(st.characters(codec="utf-8"), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc-.", min_size=1), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text("abc", min_size=1), PLAIN, max_size=3))
def test_quoted_values_come_back_as_they_were_written(values: dict[str, Any]) -> None:
    text = yaml.safe_dump(values, default_style='"', allow_unicode=True).replace("${", "$${")
    text = text.replace('!!null "null"', "null")
    for kind in ("int", "bool"):
        text = text.replace(f"!!{kind} ", "")
    assert _texts(parse(text.encode(), "u.yaml", {}).values) == _texts(values)


def _texts(value: Any) -> Any:
    """Values with numbers and booleans as their texts: quoting hides what they were."""
    if isinstance(value, dict):
        return {key: _texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_texts(inner) for inner in value]
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


@given(st.binary(max_size=60))
def test_no_bytes_make_it_raise(text: bytes) -> None:
    parse(text, "u.yaml", {})


@given(st.text("ab:-[]{}&*!|>#'\"\n ${}~,?%@0.", max_size=40))
def test_no_text_makes_it_raise(text: str) -> None:
    parse(text.encode(), "u.yaml", {})
