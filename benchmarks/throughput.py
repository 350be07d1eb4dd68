"""Requests per second and latency of ours beside nginx, TensorZero, LiteLLM and Portkey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from benchmarks.logged import logged_calls
from benchmarks.part import Options, Part
from benchmarks.peers.litellm import LiteLlm
from benchmarks.peers.nginx import NginxProxy
from benchmarks.peers.peer import Peer, Served
from benchmarks.peers.portkey import Portkey
from benchmarks.peers.tensorzero import TensorZero
from benchmarks.peers.understudy import Understudy
from benchmarks.requirement import Requirement
from benchmarks.rounds import Sample, Series, measure
from benchmarks.table import table
from benchmarks.upstream import Direct, canned_upstream

_HEADER: Final = (
    "server",
    "req/s",
    "/ direct",
    "/ nginx",
    "/ TensorZero",
    "/ LiteLLM",
    "p50 ms",
    "p99 ms",
    "p50 at 1",
    "p99 at 1",
    "added p50",
    "CPU us",
    "RSS MB",
)


def throughput(options: Options) -> Part:
    """Measure every server; the requirements are about ours with one worker."""
    with canned_upstream(options.folder / "upstream") as upstream:
        peers: list[Peer] = [
            Direct(upstream.process),
            NginxProxy(),
            NginxProxy(workers=2),
            Understudy(),
            Understudy(learned=True),
            Understudy(workers=2),
            TensorZero(),
            LiteLlm(),
            Portkey(),
        ]
        chosen = [peer for peer in peers if options.peers is None or peer.name in options.peers]
        log = _Log()
        series = measure(chosen, upstream.url, options, log.check)
    return Part(
        title="Throughput and latency",
        text="\n\n".join([_table(series), *_remarks(series), *log.remarks]),
        requirements=[*_requirements(series), *log.requirements()],
        data={name: _data(runs) for name, runs in series.items()},
    )


class _Log:
    """Checks, once for each of our configurations, that what was served was also recorded."""

    def __init__(self) -> None:
        self.remarks: list[str] = []
        self._missing: int | None = None
        self._seen: set[str] = set()

    def check(self, peer: Peer, served: Served, sample: Sample) -> None:
        """Count the calls in the database when the shipper is done."""
        if not isinstance(peer, Understudy) or peer.name in self._seen:
            return
        self._seen.add(peer.name)
        at_least = sample.many.requests + sample.one.requests
        recorded, seconds = logged_calls(served, at_least)
        self._missing = (self._missing or 0) + max(0, at_least - recorded)
        self.remarks.append(
            f"{peer.name}: {recorded:,} calls in the database {seconds:.0f} s after the load "
            f"({at_least:,} measured, the others warmed up)."
        )

    def requirements(self) -> list[Requirement]:
        """That no measured call is missing."""
        return [Requirement("measured calls missing in the database", self._missing, 0, "at most")]


def _table(series: dict[str, Series]) -> str:
    return table(_HEADER, [_row(name, runs, series) for name, runs in series.items()])


def _row(name: str, runs: Series, series: dict[str, Series]) -> list[str]:
    rate = _rate(runs)
    if rate is None:
        return [name, "absent", *[""] * (len(_HEADER) - 2)]
    return [
        name,
        f"{rate:,.0f}",
        *(_ratio(rate, series.get(other)) for other in ("direct", "nginx", "TensorZero", "LiteLLM")),
        _milliseconds(runs.median(lambda sample: sample.many.p50_us)),
        _milliseconds(runs.median(lambda sample: sample.many.p99_us)),
        _milliseconds(runs.median(lambda sample: sample.one.p50_us)),
        _milliseconds(runs.median(lambda sample: sample.one.p99_us)),
        _milliseconds(_added(runs, series.get("direct"))),
        f"{runs.median(lambda sample: sample.cpu_us) or 0:,.0f}",
        f"{(runs.median(lambda sample: sample.resident) or 0) / 2**20:.0f}",
    ]


def _rate(runs: Series | None) -> float | None:
    return runs.median(lambda sample: sample.many.rate) if runs else None


def _ratio(rate: float, other: Series | None) -> str:
    beside = _rate(other)
    return f"{rate / beside:.3g}" if beside else "-"


def _added(runs: Series | None, direct: Series | None) -> float | None:
    """Microseconds that the median call at one connection takes longer than without a proxy."""
    if runs is None or direct is None:
        return None
    slow = runs.median(lambda sample: sample.one.p50_us)
    fast = direct.median(lambda sample: sample.one.p50_us)
    return None if slow is None or fast is None else slow - fast


def _milliseconds(microseconds: float | None) -> str:
    return "-" if microseconds is None else f"{microseconds / 1000:.3f}"


def _remarks(series: dict[str, Series]) -> Sequence[str]:
    return [f"**{name}**: {fault}" for name, runs in series.items() for fault in runs.faults]


def _requirements(series: dict[str, Series]) -> list[Requirement]:
    by_rule = _of(series, "understudy", "")
    nginx = _times(series, "understudy", "nginx", 0.25, "")
    return [*by_rule, nginx, *_of(series, "understudy, learned router", ", learned router")]


def _of(series: dict[str, Series], name: str, told: str) -> list[Requirement]:
    """What holds for ours however a call is routed."""
    direct = series.get("direct")
    theirs = _added(series.get("TensorZero"), direct)
    added = _added(series.get(name), direct)
    ratio = added / theirs if added is not None and theirs else None
    return [
        _times(series, name, "TensorZero", 1.3, told),
        _times(series, name, "LiteLLM", 30, told),
        Requirement(f"added p50 at one connection, of TensorZero's{told}", ratio, 1, "at most", "x"),
    ]


def _times(series: dict[str, Series], name: str, other: str, bound: float, told: str) -> Requirement:
    rate, beside = _rate(series.get(name)), _rate(series.get(other))
    figure = rate / beside if rate and beside else None
    return Requirement(f"requests/s at 16 connections, of {other}'s{told}", figure, bound, unit="x")


def _data(runs: Series) -> dict[str, Any]:
    return {"samples": [asdict(sample) for sample in runs.samples], "faults": runs.faults}
