"""Header rules: what holds for any headers."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy import header_rules
from proxy.transport.base import Headers

NAMES = st.sampled_from(
    b"connection te upgrade host content-length expect transfer-encoding keep-alive authorization x-api-key api-key "
    b"cookie accept-encoding x-understudy-task x-understudy-call-id x-a x-b x-c set-cookie content-type".split()
)
VALUES = st.sampled_from([b"", b"x-a", b"keep-alive, X-B", b"close", b"x-c , te", b"gzip, br", b"\xe9"])
LINES = st.lists(st.tuples(NAMES, VALUES), max_size=12)
HOP_BY_HOP = {b"connection", b"te", b"upgrade", b"transfer-encoding", b"keep-alive"}


def declared(lines: Headers) -> set[bytes]:
    """Names that any `Connection` line declares."""
    values = [value for name, value in lines if name == b"connection"]
    return {token.strip().lower() for value in values for token in value.split(b",")}


@given(LINES)
def test_towards_the_upstream(lines: Headers) -> None:
    stays = HOP_BY_HOP | declared(lines) | {b"host", b"content-length", b"expect"}
    expected = [line for line in lines if line[0] not in stays and not line[0].startswith(b"x-understudy-")]
    assert header_rules.for_upstream(lines) == expected


@given(LINES)
@example([(b"connection", b"x-a"), (b"connection", b"close"), (b"x-a", b"")])
def test_towards_the_agent(lines: Headers) -> None:
    stays = HOP_BY_HOP | declared(lines) | {b"content-length", b"x-understudy-call-id", b"x-understudy-task"}
    expected = b"".join(b"%b: %b\r\n" % line for line in lines if line[0] not in stays)
    assert header_rules.for_agent(lines, dict(lines)) == expected


@given(LINES, st.sampled_from([None, "engine-key"]))
def test_towards_an_engine(lines: Headers, key: str | None) -> None:
    sent = header_rules.for_engine(lines, key)
    credentials = [
        line for line in sent if line[0] in (b"authorization", b"x-api-key", b"api-key", b"cookie")
    ]
    assert credentials == ([(b"authorization", b"Bearer engine-key")] if key else [])
    assert [value for name, value in sent if name == b"accept-encoding"] == [b"identity"]


@pytest.mark.parametrize(
    ("offered", "identity", "sent"),
    [
        ([b"gzip, br"], False, b"gzip"),
        ([b"br", b"zstd;q=0.5"], False, b"zstd;q=0.5"),
        ([b"GZIP;q=1, *"], False, b"GZIP;q=1"),
        ([b"br"], False, b"identity"),
        ([b""], False, b"identity"),
        ([b"gzip"], True, b"identity"),
    ],
)
def test_codings_that_the_log_can_read(offered: list[bytes], identity: bool, sent: bytes) -> None:
    lines = [(b"x", b"1"), *((b"accept-encoding", value) for value in offered)]
    assert header_rules.readable_encoding(lines, identity=identity) == [
        (b"x", b"1"),
        (b"accept-encoding", sent),
    ]


def test_nothing_is_offered_for_an_agent_that_offers_nothing() -> None:
    assert header_rules.readable_encoding([(b"x", b"1")], identity=True) == [(b"x", b"1")]


@given(st.text(max_size=400))
def test_any_text_becomes_a_safe_value(text: str) -> None:
    value = header_rules.safe_value(text)
    assert len(value) <= 200
    assert all(0x20 <= byte <= 0x7E for byte in value)
