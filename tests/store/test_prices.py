"""Prices: whole nano-dollars, each token paid for once."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.prices import Price, Prices
from wire.usage import Usage, read_usage

_counts = st.integers(min_value=0, max_value=10**9)


def test_cached_tokens_are_not_paid_for_twice() -> None:
    prices = Prices({"gpt-4o-mini": {"input": 0.15, "cached_input": 0.075, "output": 0.60}})
    stated = {
        "usage": {
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "prompt_tokens_details": {"cached_tokens": 800},
            "completion_tokens_details": {"reasoning_tokens": 60},
        }
    }
    usage = read_usage("chat.completions", stated)
    assert usage is not None
    assert prices.cost("gpt-4o-mini", usage) == 200 * 150 + 800 * 75 + 100 * 600


@given(_counts, _counts, _counts, _counts, st.decimals("0", "100", places=4))
def test_costs_are_exact_to_half_a_nano_dollar(
    plain: int, cached: int, written: int, output: int, dollars: Decimal
) -> None:
    usage = Usage(plain, cached, written, output)
    cost = Price.per_million({"input": dollars, "output": dollars}).cost(usage)
    assert abs(Decimal(cost) - dollars * 1000 * usage.total) <= Decimal("0.5")


@pytest.mark.parametrize(
    ("model", "nano"),
    [("gpt-4o", 2), ("gpt-4o-2024-08-06", 3), ("GPT-4o", None), ("claude-9", None), ("", None)],
)
def test_an_exact_name_goes_before_a_glob(model: str, nano: int | None) -> None:
    prices = Prices({"gpt-4*": {"input": "0.003"}, "gpt-4o": {"input": "0.002"}})
    assert prices.cost(model, Usage(input=1)) == nano
    assert prices.cost(model, Usage(input=1)) == nano


def test_what_is_not_said_about_caching_costs_as_input() -> None:
    price = Price.per_million({"input": 3, "output": 15})
    assert (price.cached_input, price.cache_write) == (price.input, price.input)
