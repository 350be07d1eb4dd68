"""The packed list of a call's contents."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from store.parts_list import PartsList, pack, request_of, unpack

_number = st.integers(min_value=0, max_value=1 << 62)


@given(_number, st.lists(_number), st.lists(_number))
def test_what_was_packed_is_unpacked(request: int, counts: list[int], ids: list[int]) -> None:
    parts = PartsList(request, counts, ids)
    assert unpack(pack(parts)) == parts


@given(st.lists(_number), st.lists(_number, min_size=1), st.lists(_number))
def test_the_request_is_read_alone(counts: list[int], request: list[int], response: list[int]) -> None:
    circumstances, *parts = request
    packed = pack(PartsList(len(parts), counts, [circumstances, *parts, *response]))
    assert request_of(packed) == PartsList(len(parts), counts, [circumstances, *parts])


def test_a_growing_conversation_takes_a_byte_a_content() -> None:
    known = [3, 1, 4, *range(1_000_000, 1_000_040)]
    assert len(pack(PartsList(20, [20], known))) <= len(known) + 6
