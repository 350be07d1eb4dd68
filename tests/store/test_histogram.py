"""Histograms: quantiles within the promised error, and merging as good as counting together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from store.histogram import RELATIVE_ERROR, Histogram, add, bucket, merge, middle, pack, quantiles, unpack

_micros = st.integers(min_value=0, max_value=10**11)


def _counted(values: list[int]) -> Histogram:
    histogram: Histogram = {}
    for value in values:
        add(histogram, value)
    return histogram


@given(_micros.filter(lambda value: value > 0))
def test_a_bucket_stands_for_its_values(value: int) -> None:
    assert abs(middle(bucket(value)) - value) <= RELATIVE_ERROR * value * (1 + 1e-6)


@given(st.lists(_micros, min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_quantiles_are_within_the_error(values: list[int], rank: float) -> None:
    (found,) = quantiles(_counted(values), [rank])
    exact = sorted(values)[int(rank * (len(values) - 1))]
    assert found is not None
    assert abs(found - max(exact, 1)) <= RELATIVE_ERROR * max(exact, 1) * (1 + 1e-6)


@given(st.lists(_micros), st.lists(_micros))
def test_merging_is_counting_together(one: list[int], two: list[int]) -> None:
    merged = _counted(one)
    merge(merged, unpack(pack(_counted(two))))
    assert merged == _counted(one + two)


def test_nothing_has_no_quantiles() -> None:
    assert quantiles({}, [0.5, 0.99]) == [None, None]
    assert pack({}) == b""
    assert unpack(b"") == {}
    assert bucket(-5) == bucket(0) == bucket(1) == 0
