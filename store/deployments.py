"""Deployments: understudies, where each stands on its way to live traffic, and everything that led there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from store import call_id as call_ids
from store.cursors import put_cursor
from store.database import translating, upsert, writing
from store.errors import Outdated, StoreError
from store.schema import deployments, moves, pairs, trials

Source = Literal["shadow", "audit"]
AT_WORK: Final = ("shadow", "canary5", "canary25", "live")
"""States in which an understudy is asked."""


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """One (task, understudy) pair. Times are Unix microseconds."""

    understudy: str
    task: str
    kind: str
    engine: str
    model: str
    files: str
    """Folder of its artifact."""
    state: str = "observe"
    threshold: float = 0.0
    """It answers when its confidence is at least this."""
    agreement: float = 0.0
    """Lower bound of its agreement with the LLM, as certified."""
    confidence: float = 0.0
    offline: Mapping[str, Any] = field(default_factory=dict)
    """The held-out verdict: numbers and strings."""
    evidence: bytes = b""
    """As the gatekeeper writes it; empty before the first pair."""
    created: int = 0
    report: str = ""
    """Path of the evaluation's report."""
    revision: int = 0
    """Counts the changes of this row."""


@dataclass(frozen=True, slots=True)
class MoveRow:
    """One move from state to state and why."""

    before: str
    after: str
    rule: str
    sentence: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    at: int = 0
    """Unix microseconds; where it is 0, the moment of storing is taken."""


@dataclass(frozen=True, slots=True)
class PairRow:
    """What an understudy and the LLM answered to one call."""

    understudy: str
    call_id: str
    source: Source
    """`shadow`: the agent got the LLM's answer; `audit`: the understudy's."""
    at: int
    """Unix microseconds."""
    agreed: bool | None
    """None when the understudy abstained."""
    value: float = 0.0
    confidence: float | None = None
    why: str = ""
    """A short sentence without content."""
    request: bytes = b""
    """Keyed hash: equal requests have equal ones."""
    cost: int = 0
    """Of asking, nano-dollars."""
    latency: int = 0
    """Of asking, microseconds."""
    answer: bytes = b""
    """Of the side that the agent did not see, sealed: see `store.pair_answers`."""


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A pair that is still to be asked for."""

    understudy: str
    call_id: str
    source: Source
    queued: int
    """Unix microseconds."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one deployment."""

    understudy: str
    evidence: bytes
    pairs: Sequence[PairRow] = ()
    move: MoveRow | None = None
    agreement: float | None = None
    """Newly certified; None leaves it."""
    confidence: float | None = None
    revision: int | None = None
    """The revision that it was worked out from; None changes whatever there is."""


class Deployments:
    """The tables of deployments, moves, pairs and trials. Methods raise DatabaseAway."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, row: DeploymentRow) -> None:
        """Add an understudy; raises StoreError when one of this name exists."""
        values = {name: getattr(row, name) for name in _COLUMNS} | {"offline": _json(row.offline)}
        with translating(self._engine):
            try:
                with writing(self._engine) as connection:
                    connection.execute(insert(deployments).values(values))
            except IntegrityError:
                raise StoreError(
                    f"an understudy {row.understudy!r} exists already; take another number"
                ) from None

    def list(self, task: str | None = None, live_only: bool = False) -> Sequence[DeploymentRow]:
        """Deployments by age, of one task or of all; `live_only` leaves out those that are not asked."""
        query = select(deployments).order_by(deployments.c.created, deployments.c.understudy)
        if task is not None:
            query = query.where(deployments.c.task == task)
        if live_only:
            query = query.where(deployments.c.state.in_(AT_WORK))
        return [_deployment(row) for row in self._rows(query)]

    def get(self, understudy: str) -> DeploymentRow | None:
        """One deployment; None when there is none of this name."""
        rows = self._rows(select(deployments).where(deployments.c.understudy == understudy))
        return _deployment(rows[0]) if rows else None

    def record(
        self, understudy: str, pairs: Sequence[PairRow], evidence: bytes, move: MoveRow | None, at: int
    ) -> None:
        """Store pairs, the evidence after them, and the move they led to; raises StoreError for an unknown understudy."""
        self.apply([Change(understudy, evidence, pairs, move)], at=at)

    def apply(
        self,
        changes: Sequence[Change],
        *,
        at: int,
        queued: Sequence[TrialRow] = (),
        done: Sequence[TrialRow] = (),
        cursors: Mapping[str, str] | None = None,
    ) -> None:
        """Store what happened in one transaction: changes, trials to come and trials done, positions of readers.

        Raises Outdated when a deployment is not at the revision that a change was worked out from; then nothing was
        stored."""
        with translating(self._engine), writing(self._engine) as connection:
            for change in changes:
                _apply(connection, change, at)
            for trial in done:
                connection.execute(delete(trials).where(_is(trial)))
            for trial in queued:
                connection.execute(upsert(connection, trials).on_conflict_do_nothing(), _trial(trial))
            for name, value in (cursors or {}).items():
                put_cursor(connection, name, value)

    def moves(self, understudy: str) -> Sequence[MoveRow]:
        """Every move of an understudy, the oldest first."""
        query = select(moves).where(moves.c.understudy == understudy).order_by(moves.c.id)
        return list(map(_move, self._rows(query)))

    def moves_since(self, at: int, limit: int) -> Sequence[tuple[str, MoveRow]]:
        """The latest moves of all understudies from a moment on (Unix microseconds), the newest first."""
        query = select(moves).where(moves.c.at >= at).order_by(moves.c.id.desc()).limit(limit)
        return [(row.understudy, _move(row)) for row in self._rows(query)]

    def pairs(self, understudy: str, limit: int = 100) -> Sequence[PairRow]:
        """The latest pairs of an understudy, the newest first."""
        query = (
            select(pairs)
            .where(pairs.c.understudy == understudy)
            .order_by(pairs.c.at.desc(), pairs.c.call_id.desc())
            .limit(limit)
        )
        return [_pair(row) for row in self._rows(query)]

    def repeated(self, understudy: str, request: bytes) -> str | None:
        """A call with an equal request that the LLM answered before; None when there is none."""
        query = (
            select(pairs.c.call_id)
            .where(pairs.c.understudy == understudy, pairs.c.request == request)
            .order_by(pairs.c.at)
            .limit(1)
        )
        rows = self._rows(query)
        return call_ids.show(bytes(rows[0].call_id)) if rows else None

    def trials(self, understudies: Sequence[str], source: Source, limit: int) -> Sequence[TrialRow]:
        """The oldest trials of some understudies."""
        query = (
            select(trials)
            .where(trials.c.understudy.in_(understudies), trials.c.source == source)
            .order_by(trials.c.queued, trials.c.call_id)
            .limit(limit)
        )
        return [
            TrialRow(row.understudy, call_ids.show(bytes(row.call_id)), row.source, row.queued)
            for row in self._rows(query)
        ]

    def waiting(self) -> Mapping[str, int]:
        """How many trials wait, by understudy."""
        query = select(trials.c.understudy, func.count().label("many")).group_by(trials.c.understudy)
        return {row.understudy: row.many for row in self._rows(query)}

    def drop_trials(self, before: int, at_work: Sequence[str]) -> int:
        """Forget trials that waited since before a moment, or whose understudy is not asked any more."""
        stale = (trials.c.queued < before) | trials.c.understudy.not_in(at_work)
        with translating(self._engine), writing(self._engine) as connection:
            return connection.execute(delete(trials).where(stale)).rowcount

    def _rows(self, query: Any) -> Sequence[Row[Any]]:
        with translating(self._engine), self._engine.connect() as connection:
            rows: Sequence[Row[Any]] = connection.execute(query).all()
            return rows


_COLUMNS: Final = tuple(column.name for column in deployments.columns)
_PAIR_COLUMNS: Final = tuple(column.name for column in pairs.columns if column.name != "call_id")


def _apply(connection: Connection, change: Change, at: int) -> None:
    values: dict[str, Any] = {"evidence": change.evidence, "revision": deployments.c.revision + 1}
    for name in ("agreement", "confidence"):
        if (value := getattr(change, name)) is not None:
            values[name] = value
    statement = update(deployments).where(deployments.c.understudy == change.understudy)
    if change.move is not None:
        values["state"] = change.move.after
        statement = statement.where(deployments.c.state == change.move.before)
    if change.revision is not None:
        statement = statement.where(deployments.c.revision == change.revision)
    if connection.execute(statement.values(values)).rowcount != 1:
        raise Outdated(f"understudy {change.understudy!r} is gone, or was changed by another process")
    if change.move is not None:
        _write_move(connection, change.understudy, change.move, at)
    if change.pairs:
        rows = [
            {name: getattr(pair, name) for name in _PAIR_COLUMNS} | {"call_id": _number(pair.call_id)}
            for pair in change.pairs
        ]
        connection.execute(upsert(connection, pairs).on_conflict_do_nothing(), rows)


def _write_move(connection: Connection, understudy: str, move: MoveRow, at: int) -> None:
    row = {
        "understudy": understudy,
        "at": move.at or at,
        "before": move.before,
        "after": move.after,
        "rule": move.rule,
        "numbers": _json(move.numbers),
        "sentence": move.sentence,
    }
    connection.execute(insert(moves).values(row))


def _deployment(row: Row[Any]) -> DeploymentRow:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return DeploymentRow(
        **values | {"offline": msgspec.json.decode(row.offline), "evidence": bytes(row.evidence)}
    )


def _move(row: Row[Any]) -> MoveRow:
    return MoveRow(row.before, row.after, row.rule, row.sentence, msgspec.json.decode(row.numbers), row.at)


def _pair(row: Row[Any]) -> PairRow:
    values = {name: getattr(row, name) for name in _PAIR_COLUMNS}
    sealed = {"request": bytes(row.request), "answer": bytes(row.answer)}
    return PairRow(call_id=call_ids.show(bytes(row.call_id)), **values | sealed)


def _trial(trial: TrialRow) -> dict[str, Any]:
    return {
        "call_id": _number(trial.call_id),
        "understudy": trial.understudy,
        "source": trial.source,
        "queued": trial.queued,
    }


def _is(trial: TrialRow) -> Any:
    return (trials.c.understudy == trial.understudy) & (trials.c.call_id == _number(trial.call_id))


def _number(call_id: str) -> bytes:
    number = call_ids.parse(call_id)
    if number is None:
        raise StoreError(f"{call_id!r} is no call id")
    return number


def _json(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
