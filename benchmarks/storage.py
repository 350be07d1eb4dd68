"""What the log costs: `python -m benchmarks.storage [--trace FILE]`.

Ships recorded calls through the journal into SQLite, prints bytes on disk and calls a second beside one row a call, and
exits with 1 when a figure is missed. Without the recorded calls it says so and exits with 0.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import lzma
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
import zstandard

from benchmarks.machine import machine
from benchmarks.records import record_of
from benchmarks.requirement import Requirement
from benchmarks.table import table
from store.database import open_engine, upgrade
from store.database_sink import DatabaseSink
from store.journal import Journal
from store.keyring import DIGEST, KeyRing, Sealer
from store.prices import Prices
from store.record import Attempt, Record
from store.shipper import Shipper

_TRACE: Final = "tau1_airline_gpt4o.jsonl.xz"
_PRICES: Final = {"gpt-4o*": {"input": 2.5, "cached_input": 1.25, "output": 10}}
_START_US: Final = 1_780_000_000_000_000
_SECOND_US: Final = 1_000_000
_ROUNDS: Final = 3
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """One way to keep the calls."""

    bytes: int
    """On disk, after a checkpoint."""
    wall: float
    """Seconds."""
    cpu: float
    """Seconds of processor time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description="What the log costs.")
    data = Path(os.environ.get("UNDERSTUDY_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument(
        "--trace", type=Path, default=data / _TRACE, help="recorded calls, .jsonl or .jsonl.xz"
    )
    trace: Path = parser.parse_args(arguments).trace
    if not trace.exists():
        print(f"no recorded calls at {trace}: nothing was measured; set UNDERSTUDY_DATA or --trace")
        return 0
    records = list(read_trace(trace))
    gc.freeze()  # the benchmark's own records are no part of the shipper's garbage
    naive = sum(record.request_size + record.response_size for record in records)
    shipped = [_in_folder(_ship, records) for _ in range(_ROUNDS)]
    rows = [_in_folder(_one_row_a_call, records) for _ in range(_ROUNDS)]
    requirements = _requirements(len(records), naive, shipped)
    print(
        _report(len(records), naive, {"understudy": shipped, "one row a call, zstd JSON": rows}, requirements)
    )
    return 0 if all(requirement.met for requirement in requirements) else 1


def read_trace(path: Path) -> Iterator[Record]:
    """The recorded calls as the proxy would record them, a second apart."""
    with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as lines:
        for number, line in enumerate(lines):
            row = orjson.loads(line)
            yield _record(number, row["request"], row["response"], row.get("usage"))


def _ship(folder: Path, records: Sequence[Record]) -> Outcome:
    """The real way: journal, shipper, database. Only the shipping is timed."""
    url = f"sqlite:///{folder}/understudy.db"
    upgrade(url)
    ring = KeyRing.load(folder / "keys", {})
    with Journal(folder / "journal", ring) as journal:
        for record in records:
            if not journal.append(record):
                raise SystemExit("the journal did not take a record")
    engine = open_engine(url)
    sink = DatabaseSink(engine, Sealer(ring), ring.active.derive(DIGEST), Prices(_PRICES))
    with Shipper(folder / "journal", ring, sink, batch_records=_BATCH) as shipper:
        wall, cpu = time.perf_counter(), time.process_time()
        stored = shipper.ship_once()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    engine.dispose()
    if stored != len(records):
        raise SystemExit(f"{stored} of {len(records)} calls were stored")
    return Outcome(_checkpointed(folder / "understudy.db"), wall, cpu)


def _one_row_a_call(folder: Path, records: Sequence[Record]) -> Outcome:
    """The usual way: each call's whole request and response in a row of its own, compressed, not encrypted."""
    database = sqlite3.connect(folder / "naive.db")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("CREATE TABLE calls (id BLOB PRIMARY KEY, started INTEGER, request BLOB, response BLOB)")
    compress = zstandard.ZstdCompressor().compress
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(records), _BATCH):
        with database:
            database.executemany(
                "INSERT INTO calls VALUES (?, ?, ?, ?)",
                [
                    (
                        record.id,
                        record.started_us,
                        compress(record.request or b""),
                        compress(record.response or b""),
                    )
                    for record in records[start : start + _BATCH]
                ],
            )
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    database.close()
    return Outcome(_checkpointed(folder / "naive.db"), wall, cpu)


def _in_folder(way: Any, records: Sequence[Record]) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="understudy-bench-") as folder:
        outcome: Outcome = way(Path(folder), records)
        return outcome


def _checkpointed(path: Path) -> int:
    database = sqlite3.connect(path)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    database.close()
    return sum(file.stat().st_size for file in path.parent.glob(path.name + "*"))


def _requirements(calls: int, naive: int, shipped: Sequence[Outcome]) -> list[Requirement]:
    return [
        Requirement("naive JSON, of bytes on disk", naive / max(way.bytes for way in shipped), 20, unit="x"),
        Requirement(
            "calls shipped a second of processor time",
            calls / min(way.cpu for way in shipped),
            2000,
            unit="/s",
        ),
    ]


def _report(
    calls: int, naive: int, ways: dict[str, Sequence[Outcome]], requirements: Sequence[Requirement]
) -> str:
    header = ("", "bytes on disk", "bytes a call", "naive is", "calls/s, wall", "calls/s, processor")
    rows = [["naive JSON", f"{naive:,}", f"{naive / calls:,.0f}", "1.0x", "", ""]]
    for name, outcomes in ways.items():
        size = max(way.bytes for way in outcomes)
        wall, cpu = min(way.wall for way in outcomes), min(way.cpu for way in outcomes)
        rows.append(
            [
                name,
                f"{size:,}",
                f"{size / calls:,.0f}",
                f"{naive / size:.1f}x",
                f"{calls / wall:,.0f}",
                f"{calls / cpu:,.0f}",
            ]
        )
    return "\n\n".join(
        [
            "# What the log costs",
            f"{time.strftime('%Y-%m-%d %H:%M')}, {machine()}. {calls:,} recorded calls, best of {_ROUNDS} rounds.",
            table(header, rows),
            "## Required",
            table(("figure", "required", "measured", "verdict"), [each.row() for each in requirements]),
        ]
    )


def _record(
    number: int, request: dict[str, Any], message: dict[str, Any], usage: dict[str, Any] | None
) -> Record:
    started = _START_US + number * _SECOND_US
    chance = hashlib.blake2b(number.to_bytes(8, "big"), digest_size=32).hexdigest()
    duration = 400_000 + int(chance[:8], 16) % 2_000_000
    sent = orjson.dumps(request)
    received = orjson.dumps(_completion(number, chance, message, usage or _usage(len(sent), message)))
    return record_of(
        id=(started // 1000).to_bytes(6, "big") + b"\x70\x00\x80" + bytes.fromhex(chance[:14]),
        started_us=started,
        duration_us=duration,
        first_byte_us=duration - 5_000,
        overhead_us=300 + duration % 700,
        requested_model=str(request.get("model", "gpt-4o")),
        reason="no rule matched and no understudy is live",
        config="0123456789ab",
        upstream_request_id="req_" + chance[:32],
        request=sent,
        response=received,
        attempts=(Attempt("upstream", "openai", 200, "", duration - 400),),
        user_agent="OpenAI/Python 3.54.0",
    )


def _completion(number: int, chance: str, message: dict[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
    """The recorded message in the envelope in which OpenAI sends it."""
    return {
        "id": "chatcmpl-" + chance[-29:],
        "object": "chat.completion",
        "created": _START_US // _SECOND_US + number,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "message": {**message, "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
            }
        ],
        "usage": usage,
        "service_tier": "default",
        "system_fingerprint": "fp_" + hashlib.blake2b(bytes([number // 700]), digest_size=5).hexdigest(),
    }


def _usage(request_size: int, message: dict[str, Any]) -> dict[str, Any]:
    """A plausible usage where none was recorded: four bytes to a token, half of the prompt cached."""
    prompt, completion = request_size // 4, len(msgspec.json.encode(message)) // 4
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": prompt // 256 * 128, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


if __name__ == "__main__":
    sys.exit(main())
