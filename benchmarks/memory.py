"""Resident memory of one worker over many calls, every tenth with a body of 30 KB."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from benchmarks.answer import WrongAnswer, await_answer
from benchmarks.part import Options, Part
from benchmarks.peers.understudy import Understudy, shippers, workers
from benchmarks.process import DidNotStart, resident
from benchmarks.requirement import Requirement
from benchmarks.table import table
from benchmarks.upstream import canned_upstream
from benchmarks.wrk import load

_EVERY: Final = 10
_LARGE: Final = 28 * 1024
"""Bytes of earlier conversation, which make a body of 30 KB."""


@dataclass(frozen=True, slots=True)
class Weight:
    """Resident bytes after so many calls."""

    calls: int
    worker: int
    shipper: int


def memory(options: Options) -> Part:
    """Send calls in short runs and weigh the worker after each."""
    calls = 20_000 if options.quick else 200_000
    try:
        weights, errors = _weigh(options, calls)
    except (DidNotStart, WrongAnswer) as error:
        return Part("Memory", f"**understudy**: {error}", _requirements([], calls, 0))
    step = max(1, len(weights) // 10)
    shown = [*weights[:-1][::step], weights[-1]]
    rows = [[f"{w.calls:,}", f"{w.worker / 2**20:.1f}", f"{w.shipper / 2**20:.1f}"] for w in shown]
    return Part(
        title="Memory",
        text=table(("calls", "worker MB", "shipper MB"), rows),
        requirements=_requirements(weights, calls, errors),
        data={"weights": [asdict(weight) for weight in weights], "errors": errors},
    )


def _weigh(options: Options, calls: int) -> tuple[list[Weight], int]:
    weights: list[Weight] = []
    sent = errors = 0
    with (
        canned_upstream(options.folder / "upstream") as upstream,
        Understudy().serve(upstream.url, options.folder / "server") as served,
    ):
        await_answer(served)
        while sent < calls:
            run = load(served, options.folder, connections=16, seconds=2, large=(_EVERY, _LARGE))
            sent += run.requests
            errors += run.errors
            worker, shipper = resident(workers(served.process)), resident(shippers(served.process))
            weights.append(Weight(sent, worker, shipper))
            print(
                f"{sent:10,} calls   worker {worker / 2**20:6.1f} MB   shipper {shipper / 2**20:6.1f} MB",
                flush=True,
            )
            if not run.requests:
                raise WrongAnswer(f"no call was answered after {sent} of {calls}")
    return weights, errors


def _requirements(weights: list[Weight], calls: int, errors: int) -> list[Requirement]:
    largest = max((weight.worker for weight in weights), default=None)
    half = next((weight.worker for weight in weights if weight.calls >= weights[-1].calls / 2), None)
    growth = None if half is None else (weights[-1].worker / half - 1) * 100
    reached = weights[-1].calls - errors if weights else None
    return [
        Requirement("calls answered", reached, calls),
        Requirement("worker RSS at its largest", largest and largest / 2**20, 150, "at most", " MB"),
        Requirement("worker RSS growth over the last half", growth, 5, "at most", " %"),
    ]
