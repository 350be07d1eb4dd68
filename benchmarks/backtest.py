"""How long a backtest takes: `python -m benchmarks.backtest [--calls N] [--folder FOLDER]`.

Stores calls of a support desk with their content (tickets in sessions of six calls, each conversation repeated from call
to call, answers of tools in between), then tries other rules on them: rules that read instructions, tools and what the
user said, and a share of sessions. Exits with 1 when a million calls take two minutes or more.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from benchmarks.machine import machine
from benchmarks.records import record_of
from benchmarks.requirement import Requirement
from benchmarks.table import table
from simulator.desk.prompts import ORDER_SCHEMA, SYSTEM, TOOLS
from simulator.tickets import ticket
from store.database import open_engine, upgrade
from store.database_sink import DatabaseSink
from store.keyring import DIGEST, KeyRing, Sealer
from store.prices import Prices
from store.record import Record

_MILLION: Final = 1_000_000
_SECONDS: Final = 120
_BATCH: Final = 5_000
_START_US: Final = 1_790_000_000_000_000
_EVERY_US: Final = 500_000
_TODAY: Final[dict[str, Any]] = {
    "engines": {"gpu": {"kind": "vllm", "base_url": "http://127.0.0.1:8000/v1"}},
    "slms": {"small": {"engine": "gpu", "model": "small"}},
    "rules": [{"name": "plans", "when": {"system": "You are the lead*"}, "route": "upstream"}],
}
_OTHER: Final[dict[str, Any]] = _TODAY | {
    "rules": [
        {"name": "plans", "when": {"system": "You are the lead*"}, "route": "upstream"},
        {"name": "refunds stay", "when": {"user": "*refund*"}, "route": "upstream"},
        {"name": "labels", "when": {"system": "You classify*"}, "route": "small"},
        {"name": "tools", "when": {"tools": "refund_order"}, "route": "small", "share": "50%"},
    ]
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.backtest", description="How long a backtest takes."
    )
    parser.add_argument("--calls", type=int, default=_MILLION, help="calls in the log")
    parser.add_argument("--folder", type=Path, default=None, help="keep the log here, and use it again")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="understudy-bench-") as temporary:
        folder: Path = options.folder or Path(temporary)
        filled = _fill(folder, options.calls)
        outcome = _compare(folder.resolve())
    print(_told(options.calls, filled, outcome))
    requirement = _requirement(options.calls, outcome.wall)
    print(table(("figure", "required", "measured", "verdict"), [requirement.row()]))
    return 0 if requirement.met else 1


def _requirement(calls: int, seconds: float) -> Requirement:
    what = "seconds for a backtest of 10^6 calls" + ("" if calls == _MILLION else f", from {calls:,}")
    return Requirement(what, seconds / calls * _MILLION, _SECONDS, "at most", " s")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of the command, start included."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds of processor time: what the run would take on a core of its own."""
    report: dict[str, Any]


def _compare(folder: Path) -> Outcome:
    """Run the command as its user does."""
    for name, values in (("today", _TODAY), ("other", _OTHER)):
        text = yaml.safe_dump(
            {"version": 1, "store": {"url": _url(folder)}, "state_dir": str(folder)} | values
        )
        (folder / f"{name}.yaml").write_text(text)
    command = ["rules", "backtest", "-c", "today.yaml", "--rules", "other.yaml", "--window", "all", "--json"]
    began, used = time.perf_counter(), _children()
    ran = subprocess.run(
        [sys.executable, "-m", "cli.main", *command], cwd=folder, capture_output=True, check=True
    )
    return Outcome(time.perf_counter() - began, _children() - used, orjson.loads(ran.stdout))


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _url(folder: Path) -> str:
    return f"sqlite:///{folder}/understudy.db"


def _fill(folder: Path, calls: int) -> float:
    """Store the calls, unless they are there already; returns the seconds it took."""
    if (folder / "understudy.db").exists():
        return 0.0
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    upgrade(_url(folder))
    ring = KeyRing.load(folder / "keys", {})
    engine = open_engine(_url(folder))
    prices = Prices({"gpt-4o-mini": {"input": 0.15, "output": 0.6}})
    sink = DatabaseSink(engine, Sealer(ring), ring.active.derive(DIGEST), prices)
    records = islice(_records(), calls)
    while batch := list(islice(records, _BATCH)):
        sink.write(batch, [])
    engine.dispose()
    return time.monotonic() - began


def _records() -> Iterator[Record]:
    number = 0
    for session in range(_MILLION):
        for request, said in _session(session):
            yield _record(number, request, said)
            number += 1


def _session(number: int) -> Iterator[tuple[dict[str, Any], str]]:
    """One ticket: four single questions, then a conversation with a tool."""
    asked = {"role": "user", "content": f"Ticket:\n{ticket(number).text}"}
    for kind, said in (
        ("classify", "refund"),
        ("urgency", "no"),
        ("extract", '{"order_id":null}'),
        ("plan", "1."),
    ):
        request: dict[str, Any] = {"messages": [{"role": "system", "content": SYSTEM[kind]}, asked]}  # type: ignore[index]
        if kind == "extract":
            schema = {"name": "order", "schema": ORDER_SCHEMA}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        yield request, said
    talk: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM["act"]}, asked]
    for step in range(2):
        yield (
            {"messages": [*talk], "tools": list(TOOLS)},
            f"Step {step} of ticket {number} is being looked into.",
        )
        talk += [
            {"role": "assistant", "content": f"Step {step} of ticket {number} is being looked into."},
            {"role": "user", "content": f"And what about step {step + 1} of my order {number}?"},
        ]


def _record(number: int, request: dict[str, Any], said: str) -> Record:
    started = _START_US + number * _EVERY_US
    body = orjson.dumps({"model": "gpt-4o-mini", "temperature": 0, **request})
    answer = orjson.dumps(
        {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": len(body) // 4, "completion_tokens": len(said) // 4 + 1},
        }
    )
    chance = random.Random(number)
    return record_of(
        id=(started // 1000).to_bytes(6, "big") + b"\x70\x00\x80" + number.to_bytes(7, "big"),
        started_us=started,
        duration_us=chance.randrange(300_000, 3_000_000),
        first_byte_us=250_000,
        overhead_us=300,
        requested_model="gpt-4o-mini",
        served_model="gpt-4o-mini",
        reason="no understudy is certified for this call",
        request=body,
        response=answer,
    )


def _told(calls: int, filled: float, outcome: Outcome) -> str:
    stored = f", stored in {filled:.0f} s" if filled else ""
    report = outcome.report
    return (
        f"# Backtest\n\n{time.strftime('%Y-%m-%d %H:%M')}, {machine()}. {calls:,} calls{stored}; read in "
        f"{outcome.wall:.1f} s, of which {outcome.cpu:.1f} s of processor time ({outcome.cpu / calls * 1e6:.0f} us a "
        f"call). Replacement rate {report['today']['replacement_rate']:.1%} today, "
        f"{report['other']['replacement_rate']:.1%} then; {report['moved']:,} calls move.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
