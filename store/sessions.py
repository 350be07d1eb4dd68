"""Sessions: calls that carry on one conversation, as the agent says or as the shared prefix shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, select

from store.contents import chunks
from store.conversation import Atom, Chain
from store.database import upsert
from store.reading import Reading
from store.schema import threads

_REMEMBERED: Final = 65_536


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call stands in its conversation."""

    behind: tuple[int, ...]
    """Points that it has passed, the latest first."""
    ahead: tuple[int, ...]
    """Points at which a later call may take up."""


@dataclass(slots=True)
class Sessions:
    """Gives each call its session; remembers the points of recent calls."""

    chain: Chain
    _recent: dict[int, int] = field(default_factory=dict)

    def place(self, reading: Reading, turns: Sequence[Atom]) -> Place:
        """Find a call's place."""
        behind = self.chain.points(turns)
        if reading.continues:
            behind.insert(0, self.chain.number(reading.continues.encode(), b"response"))
        ahead = [point] if (point := self.chain.end(turns, reading.answer)) is not None else []
        if reading.answer_id:
            ahead.append(self.chain.number(reading.answer_id.encode(), b"response"))
        return Place(tuple(behind), tuple(ahead))

    def named(self, name: str) -> int:
        """The session that an agent calls by this name."""
        return self.chain.number(name.encode("utf-8", "replace"), b"session")

    def assign(self, connection: Connection, calls: Sequence[tuple[Reading, Place, int]]) -> list[int]:
        """Sessions of (call, place, day), in order; writes where these calls end."""
        recent = self._look_up(connection, (point for _, place, _ in calls for point in place.behind))
        ends: dict[int, tuple[int, int]] = {}
        sessions = []
        for reading, place, day in calls:
            session = self._session(reading, place, recent)
            sessions.append(session)
            for point in place.ahead:
                recent[point] = session
                ends[point] = (session, day)
        if ends:
            rows = [
                {"point": point, "session": session, "last_used": day}
                for point, (session, day) in ends.items()
            ]
            statement = upsert(connection, threads)
            replaced = {name: statement.excluded[name] for name in ("session", "last_used")}
            connection.execute(statement.on_conflict_do_update(index_elements=["point"], set_=replaced), rows)
        return sessions

    def committed(self, places: Iterable[Place], sessions: Iterable[int]) -> None:
        """Remember where committed calls end."""
        for place, session in zip(places, sessions, strict=True):
            for point in place.ahead:
                self._recent.pop(point, None)
                self._recent[point] = session
        for point in list(self._recent)[: max(0, len(self._recent) - _REMEMBERED)]:
            del self._recent[point]

    def forget(self) -> None:
        """Forget every point: some were deleted."""
        self._recent.clear()

    def _session(self, reading: Reading, place: Place, recent: dict[int, int]) -> int:
        if reading.record.session:
            return self.named(reading.record.session)
        for point in place.behind:
            if point in recent:
                return recent[point]
        return self.chain.number(reading.record.id, b"call")

    def _look_up(self, connection: Connection, wanted: Iterable[int]) -> dict[int, int]:
        points = set(wanted)
        found = {point: self._recent[point] for point in points if point in self._recent}
        for chunk in chunks(sorted(points - set(found))):
            query = select(threads.c.point, threads.c.session).where(threads.c.point.in_(chunk))
            found.update((point, session) for point, session in connection.execute(query))
        return found
