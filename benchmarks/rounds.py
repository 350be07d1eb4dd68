"""Rounds of load: every server in turn, the order reversed from round to round, the median over all rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.answer import WrongAnswer, await_answer
from benchmarks.part import Options
from benchmarks.peers.peer import Absent, Peer, Served
from benchmarks.process import DidNotStart, processor_seconds, resident, tree
from benchmarks.wrk import Load, load

CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Sample:
    """One server in one round."""

    many: Load
    """At 16 connections."""
    one: Load
    """At one connection."""
    cpu_us: float
    """Processor time that one request took at 16 connections, in all of the server's processes together."""
    resident: int
    """Bytes, of all its processes, after both."""


@dataclass(slots=True)
class Series:
    """All rounds of one server."""

    samples: list[Sample] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Why it could not be measured, or why a round of it is void."""

    def median(self, figure: Callable[[Sample], float]) -> float | None:
        """Over the rounds that count; None when there are none."""
        return median(figure(sample) for sample in self.samples) if self.samples else None


def measure(
    peers: Sequence[Peer], upstream: str, options: Options, after: Callable[[Peer, Served, Sample], None]
) -> dict[str, Series]:
    """Measure every server in every round; `after` sees each one while it still runs."""
    series = {peer.name: Series() for peer in peers}
    present = [peer for peer in peers if _installed(peer, series[peer.name])]
    for number in range(options.rounds):
        for peer in present if number % 2 == 0 else reversed(present):
            folder = options.folder / f"round-{number}" / peer.name.replace(", ", "-").replace(" ", "-")
            folder.mkdir(parents=True)
            try:
                _one(peer, upstream, folder, options, series[peer.name], after)
            except (DidNotStart, WrongAnswer) as error:
                series[peer.name].faults.append(str(error))
                print(f"round {number + 1}: {peer.name}: NOT MEASURED: {error}", flush=True)
    return series


def _installed(peer: Peer, series: Series) -> bool:
    try:
        peer.install()
    except Absent as reason:
        series.faults.append(str(reason))
        print(f"{peer.name}: ABSENT: {reason}", flush=True)
        return False
    return True


def _one(
    peer: Peer,
    upstream: str,
    folder: Path,
    options: Options,
    series: Series,
    after: Callable[[Peer, Served, Sample], None],
) -> None:
    with peer.serve(upstream, folder / "server") as served:
        await_answer(served)
        load(served, folder, connections=CONNECTIONS, seconds=options.seconds / 3)
        before = processor_seconds(tree(served.process))
        many = load(served, folder, connections=CONNECTIONS, seconds=options.seconds)
        spent = processor_seconds(tree(served.process)) - before
        # What a server still does in the background after the load is not part of its latency at rest.
        time.sleep(1.0)
        one = load(served, folder, connections=1, seconds=options.seconds * 2 / 3)
        sample = Sample(many, one, spent * 1e6 / max(1, many.requests), resident(tree(served.process)))
        errors = many.errors + one.errors
        if errors:
            series.faults.append(f"{errors} of {many.requests + one.requests} requests failed")
        else:
            series.samples.append(sample)
        _say(peer.name, sample)
        after(peer, served, sample)


def _say(name: str, sample: Sample) -> None:
    errors = sample.many.errors + sample.one.errors
    void = f"  VOID: {errors} errors" if errors else ""
    print(
        f"{name:24} {sample.many.rate:10,.0f} req/s   p50 {sample.many.p50_us / 1000:8.3f} ms   "
        f"p50 at 1 {sample.one.p50_us / 1000:7.3f} ms   {sample.cpu_us:7.0f} us CPU   "
        f"{sample.resident / 2**20:6.0f} MB{void}",
        flush=True,
    )
