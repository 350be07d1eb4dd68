"""Blocks must come out the same wherever the network cut the stream, and joined they must be the stream."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.sse import Event, Splitter, events, parse

BRIEF = settings(max_examples=60, deadline=None)

LINES = st.sampled_from(
    [
        b"data: {}",
        b"data:x",
        b"data",
        b": note",
        b"event: delta",
        b"id: 7",
        b"retry: 5",
        "data: é漢🙂".encode(),
        b"",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
STREAMS = st.lists(st.tuples(LINES, ENDS), max_size=30).map(lambda lines: b"".join(a + b for a, b in lines))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def split(chunks: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = Splitter()
    blocks = [block for chunk in chunks for block in splitter.feed(chunk)]
    return blocks, splitter.rest


@BRIEF
@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=12))
def test_any_cut_gives_the_same_blocks_and_loses_no_byte(data: bytes, places: list[int]) -> None:
    blocks, rest = split(cut(data, places))
    assert b"".join(blocks) + rest == data
    assert (blocks, rest) == split([data])


@BRIEF
@given(STREAMS)
def test_byte_by_byte_equals_whole(data: bytes) -> None:
    assert split([data[at : at + 1] for at in range(len(data))]) == split([data])


@BRIEF
@given(st.binary(max_size=200), st.lists(st.integers(0, 10_000), max_size=5))
def test_garbage_passes_byte_exact_and_reads_without_error(data: bytes, places: list[int]) -> None:
    blocks, rest = split(cut(data, places))
    assert b"".join(blocks) + rest == data
    for block in [*blocks, rest]:
        parse(block)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_frames_and_reads(end: bytes) -> None:
    stream = end.join([b"event: a", b"data: 1", b"data: 2", b"", b"data: 3", b"", b": bye", b"", b""])
    assert list(events(stream)) == [Event("a", b"1\n2"), Event("message", b"3")]


def test_a_line_feed_that_comes_late_belongs_to_its_block() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: 1\r\n\r") == []
    assert splitter.feed(b"\ndata: 2\r\n\r\n") == [b"data: 1\r\n\r\n", b"data: 2\r\n\r\n"]
    assert splitter.rest == b""


@pytest.mark.parametrize(
    ("block", "event"),
    [
        (b"data: x\n\n", Event("message", b"x")),
        (b"data:x\n\n", Event("message", b"x")),
        (b"data:  x \n\n", Event("message", b" x ")),
        (b"data\ndata\n\n", Event("message", b"\n")),
        (b"\xef\xbb\xbfdata: x\n\n", Event("message", b"x")),
        (b": comment\n\n", Event("message", b"")),
        (b"event: error\nid: 3\nretry: 10\ndata: {}\n\n", Event("error", b"{}", "3", 10)),
        (b"id: a\0b\nretry: soon\nunknown: y\ndata: x\n\n", Event("message", b"x")),
        (b"event:\ndata: a:b\n\n", Event("message", b"a:b")),
        (b"\n\ndata: late\n\n", Event("message", b"late")),
    ],
)
def test_parse(block: bytes, event: Event) -> None:
    assert parse(block) == event


def test_an_unfinished_event_is_left_out() -> None:
    assert [event.data for event in events(b"data: 1\n\ndata: 2\n")] == [b"1"]


def test_a_large_event_in_many_chunks_is_handed_out_whole() -> None:
    chunk = b"x" * 1000
    blocks, rest = split([b"data: ", *[chunk] * 5000, b"\n", b"\n"])
    assert len(blocks) == 1
    assert parse(blocks[0]).data == chunk * 5000
    assert rest == b""


def test_an_endless_event_is_handed_out_in_pieces() -> None:
    splitter = Splitter(limit=1000)
    held = 0
    out = b""
    for _ in range(100):
        out += b"".join(splitter.feed(b"y" * 99))
        held = max(held, len(splitter.rest))
    assert out + splitter.rest == b"y" * 9900
    assert held <= 1000
