"""A spliced body parses to the old value with the one change, and its other bytes are the old ones."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.splice import SpliceError, add_member, elements, members, remove_member, replace_member

BRIEF = settings(max_examples=60, deadline=None)

KEYS = st.sampled_from(["model", "usage", "messages", 'a"b', "é", "\\", "a\n", ""]) | st.text(max_size=4)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text(max_size=8) | st.sampled_from(
    ['"model":"x"', ',"usage":null', "}", "\\", '{"model": 1}', "[", '"']
)
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
SPACES = st.text(alphabet=" \t\r\n", max_size=2)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """JSON objects with any white space, escaped or plain non-ASCII, and repeated keys."""
    pairs = draw(st.lists(st.tuples(KEYS, VALUES), max_size=6))
    ascii_only = draw(st.booleans())
    space = [draw(SPACES) for _ in range(6)]

    def encode(value: Any) -> str:
        return json.dumps(value, ensure_ascii=ascii_only, separators=(space[0] + ",", ":" + space[1]))

    inner = f"{space[2]},{space[3]}".join(f"{encode(k)}{space[4]}:{space[5]}{encode(v)}" for k, v in pairs)
    return f"{space[3]}{{{space[5]}{inner}{space[4]}}}{space[2]}".encode()


@BRIEF
@given(bodies(), KEYS, VALUES)
def test_replace_changes_one_value(body: bytes, key: str, value: Any) -> None:
    parsed = orjson.loads(body)
    if key not in parsed:
        with pytest.raises(SpliceError):
            replace_member(body, key, b"1")
        return
    text = orjson.dumps(value)
    changed = replace_member(body, key, text)
    assert orjson.loads(changed) == {**parsed, key: orjson.loads(text)}
    last = next(member for member in reversed(members(body)) if member.key == key)
    assert changed == body[: last.value] + text + body[last.end :]


@BRIEF
@given(bodies(), KEYS)
def test_remove_takes_every_occurrence(body: bytes, key: str) -> None:
    parsed = orjson.loads(body)
    removed = remove_member(body, key)
    assert orjson.loads(removed) == {name: value for name, value in parsed.items() if name != key}
    if key not in parsed:
        assert removed == body


@BRIEF
@given(bodies(), KEYS, VALUES)
def test_add_then_remove_is_the_identity(body: bytes, key: str, value: Any) -> None:
    parsed = orjson.loads(body)
    if key in parsed:
        return
    text = orjson.dumps(value)
    added = add_member(body, key, text)
    assert orjson.loads(added) == {**parsed, key: orjson.loads(text)}
    if parsed:
        assert remove_member(added, key) == body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"a"}', b'{"model":"M"}'),
        (b' {\n "x" : {"model":"a"}, "model" : "a" }\n', b' {\n "x" : {"model":"a"}, "model" : "M" }\n'),
        (b'{"x":"\\"model\\":\\"a\\"","model":null}', b'{"x":"\\"model\\":\\"a\\"","model":"M"}'),
        (b'{"model":12,"model":1}', b'{"model":12,"model":"M"}'),
        (b'{"model":[1,["]"]],"model":[1]}', b'{"model":[1,["]"]],"model":"M"}'),
        (b'{"mod\\u0065l":"a"}', b'{"mod\\u0065l":"M"}'),
        (b'{"model":"a\\\\"}', b'{"model":"M"}'),
    ],
)
def test_replace_model(body: bytes, expected: bytes) -> None:
    assert replace_member(body, "model", b'"M"') == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"usage":null}', b"{}"),
        (b'{"a":1,"usage":null}', b'{"a":1}'),
        (b'{"usage":null,"a":1}', b'{"a":1}'),
        (b'{"a": 1, "usage": null, "b": 2}', b'{"a": 1, "b": 2}'),
        (b'{"usage":1,"usage":2,"a":3,"usage":4}', b'{"a":3}'),
    ],
)
def test_remove_usage(body: bytes, expected: bytes) -> None:
    assert remove_member(body, "usage") == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"model"',
        b'{"model":"a"} x',
        b'{"model":' + b"[" * 100_000,
        b"\xff\xfe{",
        b'{"a":01}',
    ],
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(SpliceError):
        members(body)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"a":1'])
def test_nothing_is_added_to_what_is_no_object(body: bytes) -> None:
    with pytest.raises(SpliceError):
        add_member(body, "a", b"1")


@BRIEF
@given(st.lists(VALUES, max_size=5), st.lists(SPACES, min_size=4, max_size=4), st.booleans())
def test_elements_are_where_they_stand(values: list[Any], space: list[str], ascii_only: bool) -> None:
    texts = [json.dumps(value, ensure_ascii=ascii_only) for value in values]
    between = f"{space[0]},{space[1]}"
    array = f"{space[2]}[{space[3]}{between.join(texts)}{space[0]}]{space[1]}".encode()
    assert [array[start:end].decode() for start, end in elements(array)] == texts


@pytest.mark.parametrize("array", [b"", b"{}", b"[1", b"[1,]", b"3", b"[" * 100_000])
def test_what_is_no_array_has_no_elements(array: bytes) -> None:
    with pytest.raises(SpliceError):
        elements(array)
