"""Windows: whole, without gaps or overlaps, and of few buckets."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.window import DAY, HOUR, LADDER, MINUTE, Window, bucket_start, cover

_FINEST: dict[Window, int] = {"1h": MINUTE, "24h": HOUR, "7d": HOUR, "30d": DAY}
_LONG: dict[Window, int] = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}


@pytest.mark.parametrize("window", ["1h", "24h", "7d", "30d"])
@given(now=st.integers(min_value=40 * DAY, max_value=1 << 33))
def test_a_window_is_covered_once(window: Window, now: int) -> None:
    spans = cover(window, now)
    assert spans[0].since == bucket_start(_FINEST[window], now - _LONG[window])
    assert now - _LONG[window] - spans[0].since < _FINEST[window]
    for span, following in pairwise(spans):
        assert span.until == following.since > span.since
        assert following.level > span.level
        assert following.since % following.level == 0
    assert spans[-1].until is None
    assert spans[-1].since <= now
    buckets = sum(((span.until or now + 1) - span.since - 1) // span.level + 1 for span in spans)
    assert buckets <= 16


def test_all_is_one_bucket() -> None:
    (span,) = cover("all", 1_790_000_000)
    assert (span.level, span.since, span.until) == (0, 0, None)


def test_each_width_divides_the_next() -> None:
    assert all(wide % narrow == 0 for narrow, wide in pairwise(LADDER))
