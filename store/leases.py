"""Leases: of several processes that could do a work, one does, and another takes over when it falls silent.

Hosts' clocks may differ: a lease keeps two from doing the same work twice, and whoever writes under one still checks
that nothing was changed in between (`deployments.revision`).
"""

from __future__ import annotations

from sqlalchemy import Engine, delete, or_, update

from store.database import translating, upsert, writing
from store.schema import leases


class Leases:
    """The table of leases. Methods raise DatabaseAway; times are Unix microseconds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, name: str, holder: str, now: int, until: int) -> bool:
        """Take or renew a lease; returns whether it is this holder's now."""
        free = or_(leases.c.holder == holder, leases.c.expires < now)
        renewal = update(leases).where(leases.c.name == name, free).values(holder=holder, expires=until)
        with translating(self._engine), writing(self._engine) as connection:
            if connection.execute(renewal).rowcount:
                return True
            first = upsert(connection, leases).values(name=name, holder=holder, expires=until)
            inserted = first.on_conflict_do_nothing().returning(leases.c.name)
            return connection.execute(inserted).first() is not None

    def give_up(self, name: str, holder: str) -> None:
        """Let the next process take it at once."""
        with translating(self._engine), writing(self._engine) as connection:
            connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))
