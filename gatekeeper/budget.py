"""What comparing may cost a day: requests to understudies and upstreams, and dollars at upstreams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from store.prices import NANO


class Spent(msgspec.Struct, frozen=True):
    """What a day has cost so far."""

    day: str = ""
    """In UTC."""
    requests: int = 0
    cost: int = 0
    """Nano-dollars."""

    @classmethod
    def decode(cls, text: str | None) -> Spent:
        """Read what encode() wrote; nothing was spent where it cannot be read."""
        try:
            return msgspec.json.decode(text or "{}", type=cls)
        except msgspec.MsgspecError:
            return cls()

    def encode(self) -> str:
        return msgspec.json.encode(self).decode()

    def at(self, now: float) -> Spent:
        """The same day's sum, or the next day's empty one; `now` is Unix seconds."""
        day = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}"
        return self if self.day == day else Spent(day)

    def plus(self, requests: int, cost: int) -> Spent:
        return Spent(self.day, self.requests + requests, self.cost + cost)


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of a day."""

    requests: int
    dollars: float

    def left(self, spent: Spent) -> int:
        """Requests that may still be made."""
        return max(0, self.requests - spent.requests)

    def affords_upstream(self, spent: Spent) -> bool:
        """Whether an upstream may still be asked."""
        return spent.cost < self.dollars * NANO

    def sentence(self, spent: Spent) -> str:
        """Why nothing is compared any more today; empty while it is."""
        if not self.left(spent):
            return (
                f"the {self.requests:,} requests of learning.shadow_requests are used up until midnight UTC"
            )
        if not self.affords_upstream(spent):
            return f"the {self.dollars:g} dollars of learning.shadow_dollars are used up until midnight UTC"
        return ""
