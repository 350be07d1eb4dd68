"""The one builder of records that benchmarks and tests share."""

from __future__ import annotations

import hashlib

import msgspec

from store.record import Attempt, Record

_RECORD = Record(
    id=bytes(16),
    started_us=1_700_000_000_000_000,
    duration_us=1500,
    first_byte_us=900,
    overhead_us=80,
    endpoint="chat.completions",
    method="POST",
    path="/v1/chat/completions",
    status=200,
    stream=False,
    route="upstream",
    target="openai",
    requested_model="gpt-4o",
    served_model="gpt-4o-2024-08-06",
    understudy="",
    task="",
    rule="defaults",
    reason="no rule matched",
    confidence=None,
    fallback="",
    key="",
    session="",
    config="0123abcd",
    upstream_request_id="req_1",
    request_type="application/json",
    response_type="application/json",
    response_encoding="",
    request=b"",
    response=b"{}",
    request_size=0,
    response_size=2,
    attempts=(Attempt("upstream", "openai", 200, "", 1400),),
)


def record_of(**fields: object) -> Record:
    """A call that the upstream answered, but for these fields; sizes follow the bodies."""
    for body in ("request", "response"):
        content = fields.get(body)
        if isinstance(content, bytes):
            fields.setdefault(f"{body}_size", len(content))
    return msgspec.structs.replace(_RECORD, **fields)


def id_at(started_us: int, number: int) -> bytes:
    """A UUIDv7 of this moment, the same for the same number."""
    tail = hashlib.blake2b(number.to_bytes(8, "big"), digest_size=10).digest()
    fixed = bytes([0x70 | tail[0] & 15, tail[1], 0x80 | tail[2] & 63])
    return (started_us // 1000).to_bytes(6, "big") + fixed + tail[3:]
