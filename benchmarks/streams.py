"""Streaming: what the proxy adds to the time to first byte, and a thousand streams at once with every byte checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any, Final

import uvloop

from benchmarks.events import events
from benchmarks.events_upstream import events_upstream
from benchmarks.exchange import Exchange, connect, message
from benchmarks.part import Options, Part
from benchmarks.peers.peer import Absent, Peer, Served
from benchmarks.peers.tensorzero import TensorZero
from benchmarks.peers.understudy import Understudy, workers
from benchmarks.process import DidNotStart, resident
from benchmarks.request import chat_body
from benchmarks.requirement import Requirement
from benchmarks.table import table

_STREAMS: Final = 1000
_EVENTS: Final = 40
_WARMING: Final = 50


@dataclass(frozen=True, slots=True)
class FirstByte:
    """Time to first byte through one server and past it, alternately; in microseconds."""

    direct_p50: float
    direct_p99: float
    p50: float
    p99: float

    @property
    def added(self) -> float:
        """What the server adds to the median."""
        return self.p50 - self.direct_p50


@dataclass(frozen=True, slots=True)
class Crowd:
    """Many streams at once through one worker."""

    streams: int
    right: int
    """Streams whose every byte was what the upstream sends for that seed."""
    peak: int
    """Most streams that had begun and not ended at one moment."""
    seconds: float
    resident: int
    """Bytes, of the worker, after it."""
    faults: tuple[str, ...]


def streams(options: Options) -> Part:
    """Measure ours, and the first byte of TensorZero's for comparison."""
    first: dict[str, FirstByte] = {}
    remarks: list[str] = []
    crowd: Crowd | None = None
    peers: list[Peer] = [Understudy(), TensorZero()]
    with events_upstream(options.folder / "upstream") as upstream:
        for peer in peers:
            folder = options.folder / peer.name
            folder.mkdir()
            try:
                peer.install()
                with peer.serve(upstream, folder) as served:
                    first[peer.name] = _run(_first_byte(_direct(upstream, served), served, options.quick))
                    if isinstance(peer, Understudy):
                        crowd = _run(_crowd(served))
            except (Absent, DidNotStart, ConnectionError) as error:
                remarks.append(f"**{peer.name}**: {error}")
    return Part(
        title="Streaming",
        text="\n\n".join([_table(first), *_about(crowd), *remarks]),
        requirements=_requirements(first.get("understudy"), crowd),
        data={
            "first_byte": {name: asdict(each) for name, each in first.items()},
            "crowd": asdict(crowd or _NONE),
        },
    )


_NONE: Final = Crowd(_STREAMS, 0, 0, 0.0, 0, ("not measured",))


def _run(coroutine: Any) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


def _direct(upstream: str, served: Served) -> Served:
    return Served(f"{upstream}/v1/chat/completions", served.process)


def _body(served: Served, seed: int, *, count: int, pause: float, usage: bool) -> bytes:
    extra: dict[str, Any] = {"seed": seed, "stream": True}
    extra["metadata"] = {"events": str(count), "pause": str(pause)}
    if usage:
        extra["stream_options"] = {"include_usage": True}
    return chat_body(served.model, **extra)


async def _first_byte(direct: Served, served: Served, quick: bool) -> FirstByte:
    past, through = await connect(direct), await connect(served)
    pairs = [
        (await _timed(past, direct, seed), await _timed(through, served, seed))
        for seed in range(_WARMING + (200 if quick else 1000))
    ]
    past.close()
    through.close()
    return FirstByte(
        *_median_and_tail([a for a, _ in pairs[_WARMING:]]),
        *_median_and_tail([b for _, b in pairs[_WARMING:]]),
    )


async def _timed(exchange: Exchange, served: Served, seed: int) -> float:
    taken = await exchange.post(message(served, _body(served, seed, count=5, pause=0, usage=False)))
    if exchange.status != 200:
        raise ConnectionError(f"status {exchange.status}: {exchange.body[:200]!r}")
    return taken * 1e6


def _median_and_tail(values: Sequence[float]) -> tuple[float, float]:
    percentiles = quantiles(values, n=100)
    return percentiles[49], percentiles[98]


class _Gauge:
    """How many streams are under way, and the most there were."""

    def __init__(self) -> None:
        self.now = 0
        self.peak = 0

    def begin(self) -> None:
        self.now += 1
        self.peak = max(self.peak, self.now)

    def end(self, *, begun: bool) -> None:
        self.now -= begun


async def _crowd(served: Served) -> Crowd:
    gauge = _Gauge()
    started = time.monotonic()
    outcomes = await asyncio.gather(*(_watched(served, seed, gauge) for seed in range(_STREAMS)))
    faults = tuple(outcome for outcome in outcomes if outcome)
    return Crowd(
        streams=_STREAMS,
        right=_STREAMS - len(faults),
        peak=gauge.peak,
        seconds=time.monotonic() - started,
        resident=resident(workers(served.process)),
        faults=faults[:5],
    )


async def _watched(served: Served, seed: int, gauge: _Gauge) -> str:
    """Empty when the stream was right, else what was wrong with it."""
    usage = seed % 2 == 1  # every other agent asks for usage itself and must see it
    try:
        exchange = await connect(served)
        exchange.on_first_byte = gauge.begin
        # The pause is long enough for the last stream to begin before the first one ends.
        body = _body(served, seed, count=_EVENTS, pause=0.2, usage=usage)
        try:
            await asyncio.wait_for(exchange.post(message(served, body)), 120)
        finally:
            gauge.end(begun=exchange.first_byte > 0)
            exchange.close()
    except (OSError, TimeoutError) as error:
        return f"stream {seed}: {error!r}"
    expected = b"".join(events(seed, count=_EVENTS, usage=usage))
    if exchange.status != 200 or exchange.body != expected:
        return (
            f"stream {seed}: status {exchange.status}, {len(exchange.body)} bytes instead of {len(expected)}"
        )
    return ""


def _table(first: dict[str, FirstByte]) -> str:
    header = ("time to first byte, us", "direct p50", "p50", "added p50", "direct p99", "p99")
    rows = [
        [
            name,
            *(
                f"{value:,.0f}"
                for value in (each.direct_p50, each.p50, each.added, each.direct_p99, each.p99)
            ),
        ]
        for name, each in first.items()
    ]
    return table(header, rows)


def _about(crowd: Crowd | None) -> list[str]:
    if crowd is None:
        return []
    summary = (
        f"{crowd.right:,} of {crowd.streams:,} concurrent streams right in every byte ({_EVENTS} events each, at most "
        f"{crowd.peak:,} under way at once, {crowd.seconds:.1f} s, worker at {crowd.resident / 2**20:.0f} MB)."
    )
    return [summary, *crowd.faults]


def _requirements(first: FirstByte | None, crowd: Crowd | None) -> list[Requirement]:
    added = None if first is None else first.added / 1000
    return [
        Requirement("added p50 of the time to first byte", added, 1.0, "at most", " ms"),
        Requirement(
            "concurrent streams right in every byte", None if crowd is None else crowd.right, _STREAMS
        ),
        Requirement("streams under way at once", None if crowd is None else crowd.peak, _STREAMS),
    ]
