"""What the store's tests share."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from store.keyring import KeyRing, MasterKey
from store.record import Attempt, Record

MakeRecord = Callable[..., Record]

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


@pytest.fixture
def make_record() -> MakeRecord:
    """Builds a record from a number; `size` fills its request with so many bytes."""

    def make(number: int, *, size: int = 0, **fields: object) -> Record:
        changes = {
            "id": number.to_bytes(16, "big"),
            "request": bytes([number % 256]) * size,
            "request_size": size,
        }
        return msgspec.structs.replace(_RECORD, **(changes | fields))

    return make


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing([MasterKey.generate()])
