"""How the pairs of understudies came out, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, func, select

from store.database import translating
from store.schema import pairs


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one understudy's pairs."""

    shadow: int = 0
    audit: int = 0
    agreed: int = 0
    disagreed: int = 0
    abstained: int = 0
    """Pairs in which the understudy was not sure enough to answer."""

    @property
    def answered(self) -> int:
        """Pairs in which it did answer."""
        return self.agreed + self.disagreed


def tallies(engine: Engine) -> Mapping[str, Tally]:
    """The counts by understudy; those without a pair are left out. Raises DatabaseAway."""
    kind = (
        pairs.c.understudy,
        pairs.c.source,
        pairs.c.agreed,
    )  # an index of just these, which is quickly counted
    found: dict[str, Counter[str]] = {}
    with translating(engine), engine.connect() as connection:
        for understudy, source, agreed, count in connection.execute(
            select(*kind, func.count()).group_by(*kind)
        ):
            counts = found.setdefault(understudy, Counter())
            counts[source] += count
            counts[_OUTCOME[agreed]] += count
    return {understudy: Tally(**counts) for understudy, counts in found.items()}


_OUTCOME: Final = {True: "agreed", False: "disagreed", None: "abstained"}
