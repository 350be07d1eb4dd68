"""The packed list of a call's contents."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from store.parts_list import PartsList, pack, unpack

_number = st.integers(min_value=0, max_value=1 << 62)


@given(_number, st.lists(_number), st.lists(_number))
def test_what_was_packed_is_unpacked(request: int, counts: list[int], ids: list[int]) -> None:
    parts = PartsList(request, counts, ids)
    assert unpack(pack(parts)) == parts


def test_a_growing_conversation_takes_a_byte_a_content() -> None:
    known = [3, 1, 4, *range(1_000_000, 1_000_040)]
    assert len(pack(PartsList(20, [20], known))) <= len(known) + 6
