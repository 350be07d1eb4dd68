"""How the pairs of understudies came out, counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, case, func, select

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
    query = select(
        pairs.c.understudy,
        _count(pairs.c.source == "shadow"),
        _count(pairs.c.source == "audit"),
        _count(pairs.c.agreed.is_(True)),
        _count(pairs.c.agreed.is_(False)),
        _count(pairs.c.agreed.is_(None)),
    ).group_by(pairs.c.understudy)
    with translating(engine), engine.connect() as connection:
        return {understudy: Tally(*counts) for understudy, *counts in connection.execute(query)}


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))
