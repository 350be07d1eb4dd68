"""Latency histograms that merge: logarithmic buckets, the relative error of a quantile bounded.

The buckets of DDSketch (Masson, Rim, Lee, VLDB 2019): bucket i holds values in (g^(i-1), g^i], g = (1 + a) / (1 - a), and
2 g^i / (g + 1) is within a of every value in it. Sparse counts by bucket are added to merge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

RELATIVE_ERROR: Final = 0.04
_GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA: Final = math.log(_GAMMA)
_decoder = msgspec.msgpack.Decoder(dict[int, int])
_encoder = msgspec.msgpack.Encoder()

Histogram = dict[int, int]
"""Counts by bucket. Values are whole microseconds; 0 and 1 share bucket 0."""


def bucket(value: int) -> int:
    """The bucket of a value; negative ones (a clock that was set back) count as 0."""
    return math.ceil(math.log(value) / _LOG_GAMMA - 1e-9) if value > 1 else 0


def middle(index: int) -> float:
    """The value that stands for a bucket: none in it is further away than RELATIVE_ERROR."""
    return float(2 * _GAMMA**index / (_GAMMA + 1)) if index else 1.0


def add(histogram: Histogram, value: int) -> None:
    """Count one value."""
    index = bucket(value)
    histogram[index] = histogram.get(index, 0) + 1


def merge(into: Histogram, other: Mapping[int, int]) -> None:
    """Add the counts of another histogram."""
    get = into.get
    for index, count in other.items():
        into[index] = get(index, 0) + count


def quantiles(histogram: Mapping[int, int], wanted: Iterable[float]) -> list[float | None]:
    """The values at these ranks (0 to 1), in microseconds; None when nothing was counted."""
    order = sorted(histogram.items())
    total = sum(count for _, count in order)
    return [_at(order, rank * (total - 1)) if total else None for rank in wanted]


def percentiles(histogram: Mapping[int, int], wanted: Sequence[int] = (50, 95, 99)) -> dict[str, float]:
    """Milliseconds by name, such as `p95`; empty when nothing was counted."""
    values = quantiles(histogram, [percent / 100 for percent in wanted])
    return {
        f"p{percent}": round(value / 1000, 3)
        for percent, value in zip(wanted, values, strict=True)
        if value is not None
    }


def pack(histogram: Mapping[int, int]) -> bytes:
    """Serialise (msgpack map)."""
    return _encoder.encode(histogram) if histogram else b""


def unpack(data: bytes) -> Histogram:
    """Read what pack() wrote."""
    return _decoder.decode(data) if data else {}


def _at(order: list[tuple[int, int]], rank: float) -> float:
    seen = 0
    for index, count in order:
        seen += count
        if seen > rank:
            return middle(index)
    return middle(order[-1][0])
