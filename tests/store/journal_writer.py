"""A worker for the tests: appends records for ever and prints the number of each one that was kept."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from store.journal import Journal
from store.keyring import KeyRing
from store.record import Record


def record(number: int, size: int) -> Record:
    """A record with a number for its id and `size` bytes of request."""
    return Record(
        id=number.to_bytes(16, "big"),
        started_us=1,
        duration_us=1,
        first_byte_us=1,
        overhead_us=1,
        endpoint="other",
        method="POST",
        path="/v1/other",
        status=200,
        stream=False,
        route="upstream",
        target="openai",
        requested_model="",
        served_model="",
        understudy="",
        task="",
        rule="",
        reason="",
        confidence=None,
        fallback="",
        key="",
        session="",
        config="",
        upstream_request_id="",
        request_type="",
        response_type="",
        response_encoding="",
        request=bytes(size),
        response=None,
        request_size=size,
        response_size=0,
        attempts=(),
    )


def main(directory: str, key_file: str, first: str) -> None:
    """Append from a number on; large and small records, small segments."""
    ring = KeyRing.load(Path(key_file), {})
    journal = Journal(Path(directory), ring, segment_bytes=1 << 20)
    sizes = random.Random(int(first))
    number = int(first)
    while True:
        if journal.append(record(number, sizes.choice((0, 500, 4_000, 60_000, 200_000)))):
            os.write(1, b"%d\n" % number)
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
