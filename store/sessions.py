"""Sessions: calls that carry on one conversation, as the agent says or as the shared prefix shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from sqlalchemy import Connection, select

from store.contents import chunks
from store.conversation import Atom, Chain
from store.database import execute_many, upsert
from store.reading import Reading
from store.schema import threads

_REMEMBERED: Final = 65_536


class Placed(Protocol):
    """A call with its place in its conversation, as place() found it."""

    reading: Reading
    behind: tuple[int, ...]
    ahead: tuple[int, ...]
    day: int


@dataclass(slots=True)
class Sessions:
    """Gives each call its session; remembers the points of recent calls."""

    chain: Chain
    _recent: dict[int, int] = field(default_factory=dict)

    def place(self, reading: Reading, turns: Sequence[Atom]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The points that a call has passed, the latest first, and those at which a later call may take it up."""
        behind, end = self.chain.place(turns, reading.answer)
        ahead = () if end is None else (end,)
        if reading.continues:
            behind = (self.chain.number(reading.continues.encode(), b"response"), *behind)
        if reading.answer_id:
            ahead = (*ahead, self.chain.number(reading.answer_id.encode(), b"response"))
        return behind, ahead

    def named(self, name: str) -> int:
        """The session that an agent calls by this name."""
        return self.chain.number(name.encode("utf-8", "replace"), b"session")

    def assign(self, connection: Connection, calls: Sequence[Placed]) -> list[int]:
        """The sessions of calls, in order; writes where these calls end."""
        recent = self._look_up(connection, (point for call in calls for point in call.behind))
        ends: dict[int, tuple[int, int]] = {}
        sessions = []
        for call in calls:
            session = self._session(call, recent)
            sessions.append(session)
            for point in call.ahead:
                recent[point] = session
                ends[point] = (session, call.day)
        if ends:
            rows = [
                {"point": point, "session": session, "last_used": day}
                for point, (session, day) in ends.items()
            ]
            statement = upsert(connection, threads)
            replaced = {name: statement.excluded[name] for name in ("session", "last_used")}
            execute_many(
                connection, statement.on_conflict_do_update(index_elements=["point"], set_=replaced), rows
            )
        return sessions

    def committed(self, calls: Sequence[Placed], sessions: Sequence[int]) -> None:
        """Remember where committed calls end."""
        for call, session in zip(calls, sessions, strict=True):
            for point in call.ahead:
                self._recent.pop(point, None)
                self._recent[point] = session
        for point in list(self._recent)[: max(0, len(self._recent) - _REMEMBERED)]:
            del self._recent[point]

    def forget(self) -> None:
        """Forget every point: some were deleted."""
        self._recent.clear()

    def _session(self, call: Placed, recent: dict[int, int]) -> int:
        if call.reading.record.session:
            return self.named(call.reading.record.session)
        for point in call.behind:
            if point in recent:
                return recent[point]
        return self.chain.number(call.reading.record.id, b"call")

    def _look_up(self, connection: Connection, wanted: Iterable[int]) -> dict[int, int]:
        points = set(wanted)
        found = {point: self._recent[point] for point in points if point in self._recent}
        for chunk in chunks(sorted(points - set(found))):
            query = select(threads.c.point, threads.c.session).where(threads.c.point.in_(chunk))
            found.update((point, session) for point, session in connection.execute(query))
        return found
