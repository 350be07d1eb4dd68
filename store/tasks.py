"""Tasks: what the clustering found in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Engine, Row, select

from store.contents import Seals
from store.database import translating, upsert, writing
from store.schema import tasks


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task. Times are Unix microseconds."""

    id: str
    """Readable, and the same for as long as the task lives."""
    title: str
    kind: str
    calls: int
    share: float
    """Of all routable calls of the log it was found in."""
    answers: tuple[str, ...] = ()
    """The closed set of answers, most frequent first; empty when they are open."""
    run: str = ""
    """The clustering run that found or confirmed it."""
    created: int = 0
    retired: int | None = None
    """When a later clustering no longer found it; None while it lives."""
    facts: Mapping[str, Any] = field(default_factory=dict)


class _Detail(msgspec.Struct, array_like=True):
    title: str
    answers: tuple[str, ...]
    facts: dict[str, Any]


class Tasks:
    """The table of tasks; what is derived from content is sealed. Methods raise DatabaseAway and SealError."""

    def __init__(self, engine: Engine, sealer: Seals) -> None:
        self._engine = engine
        self._sealer = sealer

    def save(self, rows: Sequence[TaskRow]) -> None:
        """Insert or replace tasks, all or none; those not named stay as they are."""
        with translating(self._engine), writing(self._engine) as connection:
            for row in rows:
                values = self._values(row)
                statement = upsert(connection, tasks).values(values)
                connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))

    def list(self) -> Sequence[TaskRow]:
        """All tasks, retired ones too, the largest first."""
        with translating(self._engine), self._engine.connect() as connection:
            rows = connection.execute(select(tasks).order_by(tasks.c.share.desc(), tasks.c.id)).all()
        return [self._task(row) for row in rows]

    def get(self, task: str) -> TaskRow | None:
        """One task; None when there is none of this id."""
        with translating(self._engine), self._engine.connect() as connection:
            row = connection.execute(select(tasks).where(tasks.c.id == task)).first()
        return None if row is None else self._task(row)

    def _values(self, row: TaskRow) -> dict[str, Any]:
        detail = msgspec.msgpack.encode(_Detail(row.title, row.answers, dict(row.facts)))
        return {
            "id": row.id,
            "kind": row.kind,
            "calls": row.calls,
            "share": row.share,
            "run": row.run,
            "created": row.created,
            "retired": row.retired,
            "detail": self._sealer.seal(detail, _binding(row.id)),
        }

    def _task(self, row: Row[Any]) -> TaskRow:
        opened = self._sealer.open(bytes(row.detail), _binding(row.id))
        detail = msgspec.msgpack.decode(opened, type=_Detail)
        return TaskRow(
            id=row.id,
            title=detail.title,
            kind=row.kind,
            calls=row.calls,
            share=row.share,
            answers=detail.answers,
            run=row.run,
            created=row.created,
            retired=row.retired,
            facts=detail.facts,
        )


def _binding(task: str) -> bytes:
    return f"task/{task}".encode()
