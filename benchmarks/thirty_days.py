"""A log of thirty days of any size, with the tasks that were found in it, their understudies and their pairs."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path
from typing import Final

import orjson

from benchmarks.records import record_of
from store.call_id import show
from store.database import open_engine, upgrade
from store.database_sink import DatabaseSink
from store.deployments import Change, DeploymentRow, Deployments, MoveRow, PairRow
from store.keyring import DIGEST, KeyRing, Sealer
from store.pair_answers import PairAnswers
from store.prices import Prices
from store.record import Attempt, Record
from store.tasks import TaskRow, Tasks
from wire.answer import Answer

DAYS: Final = 30
TASKS: Final = 12
RARE: Final = "task-rare"
"""Task of the few oldest calls, which failed: who looks for them has the whole log to pass."""
FAILED: Final = 503
_OLDEST: Final = 5
_HOUR_US: Final = 3_600_000_000
_SPAN_US: Final = (DAYS * 24 - 12) * _HOUR_US
"""Half a day less, so that retention leaves the oldest calls alone while they are asked for."""
_BATCH: Final = 5_000
_REPLACED: Final = 3
"""Every so many calls one is replaced; so are all calls of every third task."""
_AUDITED: Final = 50
"""Of so many replaced calls one was compared."""
_TEXTS: Final = 1000
_STATES: Final = ("observe", "shadow", "canary5", "canary25", "live")


def fill(folder: Path, size: int) -> float:
    """Write a database `understudy.db` and its key into a new folder, in the order of time; returns the seconds it took."""
    folder.mkdir(parents=True)
    url = f"sqlite:///{folder}/understudy.db"
    upgrade(url)
    # Where a server with this folder as its parent of `state` looks for the key.
    ring = KeyRing.load(folder / "state" / "keys", {})
    engine = open_engine(url)
    sink = DatabaseSink(engine, Sealer(ring), ring.active.derive(DIGEST), Prices(_PRICES))
    started = time.monotonic()
    Tasks(engine, Sealer(ring)).save([_task(number) for number in range(TASKS)])
    deployments, answers = Deployments(engine), PairAnswers(Sealer(ring))
    for number in range(0, TASKS, _REPLACED):
        _deploy(deployments, number)
    records = _records(size)
    while batch := list(islice(records, _BATCH)):
        sink.write(batch, [])
        _compare(deployments, answers, batch)
    engine.dispose()
    return time.monotonic() - started


_PRICES: Final[dict[str, dict[str, float | str | Decimal]]] = {
    "gpt-4o-mini": {"input": 0.15, "output": 0.6},
    "extract-0.6b": {"input": 0, "output": 0},
}


def _records(size: int) -> Iterator[Record]:
    """Calls over thirty days: a burst in one minute of each hour, and the last hour evenly filled.

    So every bucket that a window reads is there, while the minutes that none reads stay few enough to fill quickly.
    """
    chosen = random.Random(20_261_122)
    end = time.time_ns() // 1000
    step = _SPAN_US // size
    for number in range(size):
        started = end - (size - number) * step
        if started < end - _HOUR_US:
            started = started // _HOUR_US * _HOUR_US + started % 60_000_000
        yield _record(started, number, chosen)


def _record(started: int, number: int, chosen: random.Random) -> Record:
    replaced = number % _REPLACED == 0
    task = f"task-{number % TASKS}" if number >= _OLDEST else RARE
    duration = int(chosen.lognormvariate(13, 1))
    target = "gpu0" if replaced else "openai"
    status = 200 if number >= _OLDEST else FAILED
    request, response = _asked(number), _said(number)
    return record_of(
        id=(started // 1000).to_bytes(6, "big") + chosen.randbytes(10),
        started_us=started,
        duration_us=duration,
        first_byte_us=duration // 2,
        overhead_us=chosen.randrange(80, 900),
        status=status,
        route="slm" if replaced else "upstream",
        target=target,
        requested_model="gpt-4o-mini",
        served_model="extract-0.6b" if replaced else "gpt-4o-mini",
        understudy=f"{task}@1" if replaced else "",
        task=task,
        rule="extract",
        reason="rule extract",
        confidence=0.98 if replaced else None,
        session=str(number // 10),
        request=request,
        response=response,
        attempts=(Attempt("slm" if replaced else "upstream", target, status, "", duration),),
    )


def _asked(number: int) -> bytes:
    turns = [
        {
            "role": "system",
            "content": f"You do task {number % TASKS} of the support desk, and nothing besides it.",
        },
        {
            "role": "user",
            "content": f"Ticket {number % _TEXTS}: my order has not come, what should I do about it now?",
        },
    ]
    return orjson.dumps({"model": "gpt-4o-mini", "messages": turns})


def _said(number: int) -> bytes:
    message = {"role": "assistant", "content": f"Please wait for ticket {number % _TEXTS} to be looked into."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 400, "completion_tokens": 40, "total_tokens": 440}
    return orjson.dumps(
        {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": usage}
    )


def _task(number: int) -> TaskRow:
    return TaskRow(
        id=f"task-{number}", title=f"Task {number} of the support desk", kind="text", calls=1, share=1 / TASKS
    )


def _deploy(deployments: Deployments, number: int) -> None:
    name, task = f"task-{number}@1", f"task-{number}"
    row = DeploymentRow(
        understudy=name,
        task=task,
        kind="text",
        engine="gpu0",
        model=name,
        files="",
        agreement=0.96,
        confidence=0.95,
        offline={"target": 0.95, "coverage": 0.9, "successes": 196, "trials": 200},
        created=time.time_ns() // 1000,
    )
    deployments.create(row)
    ends = time.time_ns() // 1000 - _SPAN_US
    for step, (before, after) in enumerate(pairwise(_STATES)):
        move = MoveRow(before, after, "enough", f"196 of 200 pairs agree after step {step}.", {"pairs": 200})
        deployments.apply([Change(name, b"", move=move)], at=ends + step * _HOUR_US)


def _compare(deployments: Deployments, answers: PairAnswers, batch: Sequence[Record]) -> None:
    """Pairs of some of the replaced calls of a batch."""
    said = Answer(text="Please wait for your order to be looked into.", finish_reason="stop")
    for record in [each for each in batch if each.understudy and each.task != RARE][::_AUDITED]:
        call = show(record.id)
        pair = PairRow(
            call_id=call,
            understudy=record.understudy,
            source="audit",
            at=record.started_us,
            agreed=record.overhead_us % 25 != 0,
            value=1.0,
            confidence=0.98,
            why="equal after normalising",
            request=record.id,
            answer=answers.seal(record.understudy, call, said),
        )
        deployments.apply([Change(record.understudy, b"", [pair])], at=record.started_us)
