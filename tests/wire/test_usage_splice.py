"""The agent must receive the bytes of the stream that it asked for, and must have asked for nothing more."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.sse import Splitter
from wire.usage_splice import UsageSplicer, inject

BRIEF = settings(max_examples=60, deadline=None)

TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        ',"usage":null',
        '"usage":null,',
        '{"usage": null}',
        '"usage"',
        "\n\ndata: ",
        "usage",
        '\\"usage\\":null',
    ]
)
STYLES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")])
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def block(chunk: dict[str, Any], style: tuple[str, str], end: bytes) -> bytes:
    return b"data: " + json.dumps(chunk, separators=style).encode() + end + end


def streams(
    texts: list[str], style: tuple[str, str], end: bytes, at: int
) -> tuple[list[bytes], list[bytes], bytes]:
    """The same answer without and with usage, and the usage block; `at` is the place of `usage` in a chunk."""
    plain: list[bytes] = []
    asked: list[bytes] = []
    opening = {"id": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    for chunk in [
        opening,
        *({"id": "c", "choices": [{"index": 0, "delta": {"content": t}}], "x": t} for t in texts),
    ]:
        members: list[tuple[str, Any]] = list(chunk.items())
        members.insert(at % (len(members) + 1), ("usage", None))
        plain.append(block(chunk, style, end))
        asked.append(block(dict(members), style, end))
    last = block({"id": "c", "choices": [], "usage": USAGE}, style, end)
    done = b"data: [DONE]" + end + end
    return [*plain, done], [*asked, last, done], last


@BRIEF
@given(st.lists(TEXTS, max_size=5), STYLES, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.integers(0, 3))
def test_what_the_agent_sees_equals_the_stream_without_usage(
    texts: list[str], style: tuple[str, str], end: bytes, at: int
) -> None:
    plain, asked, last = streams(texts, style, end, at)
    splitter, splicer = Splitter(), UsageSplicer()
    blocks = [*splitter.feed(b"".join(asked)), splitter.rest]
    assert b"".join(splicer.feed(item) for item in blocks) == b"".join(plain)
    assert splicer.usage_block == last


@BRIEF
@given(st.lists(TEXTS, max_size=5), STYLES, st.sampled_from([b"\n", b"\r\n"]))
def test_a_stream_without_usage_passes_as_it_is(texts: list[str], style: tuple[str, str], end: bytes) -> None:
    plain, _, _ = streams(texts, style, end, 0)
    splicer = UsageSplicer()
    assert [splicer.feed(item) for item in plain] == plain
    assert splicer.usage_block == b""


@pytest.mark.parametrize(
    "passing",
    [
        b"data: [DONE]\n\n",
        b': "usage"\n\n',
        b'data: {"usage"\n\n',
        b'data: {"choices":[{"delta":{"usage":null}}]}\n\n',
        b'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}\n\n',
        b'data: {"choices":7,"usage":null}\n\n',
        b'data: {"choices":[],"usage":"none"}\n\n',
        b'data: {"choices":[],\ndata: "usage":null}\n\n',
        b'data: ["usage",null]\n\n',
    ],
)
def test_other_blocks_pass_as_they_are(passing: bytes) -> None:
    assert UsageSplicer().feed(passing) == passing


@pytest.mark.parametrize(
    ("given_block", "seen"),
    [
        (b'event: x\ndata: {"a":1,"usage":null}\nid: 3\n\n', b'event: x\ndata: {"a":1}\nid: 3\n\n'),
        (b'data:{"usage":null,"a":{"usage":null}}\n\n', b'data:{"a":{"usage":null}}\n\n'),
        (b'data: {"a":{"b":1,"usage":null},"usage":null}\n\n', b'data: {"a":{"b":1,"usage":null}}\n\n'),
        (b'data: {"usage":null}\n\n', b"data: {}\n\n"),
    ],
)
def test_only_the_null_at_the_top_level_goes(given_block: bytes, seen: bytes) -> None:
    assert UsageSplicer().feed(given_block) == seen


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"stream":true}', b'{"stream":true,"stream_options":{"include_usage":true}}'),
        (b'{ "stream": true }\n', b'{ "stream": true,"stream_options":{"include_usage":true} }\n'),
        (b'{"stream_options":{},"stream":true}', b'{"stream_options":{"include_usage":true},"stream":true}'),
        (
            b'{"stream_options":{"include_obfuscation":false}, "stream":true}',
            b'{"stream_options":{"include_obfuscation":false,"include_usage":true}, "stream":true}',
        ),
        (
            b'{"stream":true,"stream_options":null}',
            b'{"stream":true,"stream_options":{"include_usage":true}}',
        ),
        (
            b'{"stream":true,"stream_options":{"include_usage": false}}',
            b'{"stream":true,"stream_options":{"include_usage": true}}',
        ),
        (b'{"stream":true,"stream_options":{"include_usage":true}}', None),
        (b'{"stream":true,"stream_options":{"include_usage":"yes"}}', None),
        (b'{"stream":true,"stream_options":[]}', None),
        (b'{"stream":false}', None),
        (b'{"stream":"true"}', None),
        (b"{}", None),
    ],
)
def test_inject(body: bytes, expected: bytes | None) -> None:
    assert inject(body, orjson.loads(body)) == expected


@BRIEF
@given(st.dictionaries(TEXTS, TEXTS | st.integers(0, 9) | st.none(), max_size=4), STYLES)
def test_injection_adds_one_thing(extra: dict[str, Any], style: tuple[str, str]) -> None:
    request = {**extra, "stream": True, "messages": [{"role": "user", "content": '"stream_options":{}'}]}
    body = json.dumps(request, separators=style).encode()
    injected = inject(body, request)
    assert injected is not None
    assert orjson.loads(injected) == {**orjson.loads(body), "stream_options": {"include_usage": True}}
    assert injected.replace(b',"stream_options":{"include_usage":true}', b"") == body
