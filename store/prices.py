"""What calls cost: whole nano-dollars from disjoint token buckets, so that no token is paid for twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Final

from wire.usage import Usage

NANO: Final = 1_000_000_000
"""Nano-dollars in a dollar."""

_REMEMBERED: Final = 1024

PriceValues = Mapping[str, float | str | Decimal]


@dataclass(frozen=True, slots=True)
class Price:
    """Pico-dollars a token, which is dollars per million tokens times a million."""

    input: int
    cached_input: int
    cache_write: int
    output: int

    @classmethod
    def per_million(cls, values: PriceValues) -> Price:
        """Read dollars per million tokens; cached and written input cost as much as input where nothing is said."""
        picos = {name: int(Decimal(str(value)) * 1_000_000) for name, value in values.items()}
        whole = picos.get("input", 0)
        return cls(
            input=whole,
            cached_input=picos.get("cached_input", whole),
            cache_write=picos.get("cache_write", whole),
            output=picos.get("output", 0),
        )

    def cost(self, usage: Usage) -> int:
        """Nano-dollars, rounded half up once for the whole call."""
        picos = (
            usage.input * self.input
            + usage.cached_input * self.cached_input
            + usage.cache_write * self.cache_write
            + usage.output * self.output
        )
        return (picos + 500) // 1000


class Prices:
    """Prices by model glob: an exact name first, then the first glob that fits."""

    def __init__(self, table: Mapping[str, PriceValues] | None = None) -> None:
        self._prices = {glob: Price.per_million(values) for glob, values in (table or {}).items()}
        self._found: dict[str, Price | None] = {}

    def find(self, model: str) -> Price | None:
        """The price of a model; None when the owner gave none."""
        try:
            return self._found[model]
        except KeyError:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()  # names come from agents and may be anything
            found = self._found[model] = self._match(model)
            return found

    def cost(self, model: str, usage: Usage) -> int | None:
        """Nano-dollars of these tokens at this model's price; None when it is unknown."""
        price = self.find(model)
        return None if price is None else price.cost(usage)

    def _match(self, model: str) -> Price | None:
        exact = self._prices.get(model)
        if exact is not None:
            return exact
        return next((price for glob, price in self._prices.items() if fnmatchcase(model, glob)), None)
