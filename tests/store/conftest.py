"""What the store's tests share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.records import record_of
from store.keyring import KeyRing, MasterKey
from store.record import Record

MakeRecord = Callable[..., Record]


@pytest.fixture
def make_record() -> MakeRecord:
    """Builds a record from a number; `size` fills its request with so many bytes."""

    def make(number: int, *, size: int = 0, **fields: object) -> Record:
        changes = {
            "id": number.to_bytes(16, "big"),
            "request": bytes([number % 256]) * size,
            "request_size": size,
        }
        return record_of(**(changes | fields))

    return make


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing([MasterKey.generate()])
