"""Where one understudy stands, and what its evidence calls for. Pure."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from gatekeeper.known import Known, verdict_of
from router.gate.policy import Policy
from router.gate.states import SHARES, Move, State, advance
from store.deployments import Change, DeploymentRow, MoveRow, PairRow

log = logging.getLogger("understudy.gatekeeper")

ANSWERING: Final[tuple[State, ...]] = ("canary5", "canary25", "live")


@dataclass(frozen=True, slots=True)
class Standing:
    """One deployment as it was read, with what has become known since."""

    row: DeploymentRow
    known: Known
    policy: Policy
    pairs: tuple[PairRow, ...] = ()
    """New ones, not stored yet."""
    renewed: bool = False
    """Whether what is known had to be worked out anew, and waits to be stored."""

    @classmethod
    def of(cls, row: DeploymentRow, policy: Policy, pairs: Callable[[], Sequence[PairRow]]) -> Standing:
        """Read a row; `pairs` gives its stored pairs, the oldest first, for a policy that asks another agreement."""
        offline = verdict_of(row.offline)
        if not row.evidence:
            return cls(row, Known.fresh(policy, offline), policy)
        try:
            known = Known.decode(row.evidence, offline)
        except ValueError as error:
            log.error("%s: %s; its evidence is gathered anew", row.understudy, error)
            return cls(row, Known.fresh(policy, offline), policy, renewed=True)
        if known.asked != policy.target:
            return cls(row, _asked_anew(known, policy, pairs()), policy, renewed=True)
        return cls(row, known, policy)

    @property
    def state(self) -> State:
        return cast("State", self.row.state)

    @property
    def share(self) -> float:
        """Of sessions that it answers."""
        return SHARES[self.state]

    @property
    def needs_audits(self) -> bool:
        """Whether its share waits for audits before it grows."""
        return (
            self.state in ("canary5", "canary25") and self.known.evidence.audited < self.policy.canary_audits
        )

    def knowing(self, known: Known) -> Standing:
        return dataclasses.replace(self, known=known)

    def with_pair(self, pair: PairRow) -> Standing:
        """After one more pair."""
        known = self.known.after_pair(pair.agreed, audit=pair.source == "audit")
        return dataclasses.replace(self, known=known, pairs=(*self.pairs, pair))

    def move(self) -> Move | None:
        """The move that the evidence calls for."""
        return advance(self.state, self.known.evidence, self.known.held_to(self.policy))

    def change(self, move: Move | None) -> Change:
        """What to store, with a move or without."""
        known = self.known if move is None else self.known.after_move(move)
        state = self.state if move is None else move.after
        newly = state in ANSWERING and self._certified_anew()
        return Change(
            self.row.understudy,
            known.encode(),
            self.pairs,
            None if move is None else row_of(move),
            self.policy.target if newly else None,
            self.policy.confidence if newly else None,
            self.row.revision,
        )

    def _certified_anew(self) -> bool:
        """Whether more is established than the row says; what the LLM itself does not reach counts as reached."""
        more = self.row.agreement < self.policy.target or self.row.confidence < self.policy.confidence
        return more and self.known.certified(self.policy)


def row_of(move: Move) -> MoveRow:
    """A move of the gate as the database keeps it."""
    return MoveRow(move.before, move.after, move.rule, move.sentence, move.numbers)


def superseded(standing: Standing, by: Standing) -> Move:
    """The move of an understudy whose successor answers everything now."""
    sentence = f"{by.row.understudy} answers in its place"
    return Move(standing.state, "demoted", "superseded", {"by": by.row.understudy}, sentence)


def _asked_anew(known: Known, policy: Policy, pairs: Sequence[PairRow]) -> Known:
    """The evidence for another agreement than before, from all pairs that are stored. The ceiling is left out: it was
    computed for the other one."""
    fresh = dataclasses.replace(known, asked=policy.target, repeats=0, repeats_agreed=0, ceiling="")
    replayed = fresh.tested_at(policy.target)
    for pair in pairs:
        if pair.agreed is not None:
            replayed = replayed.after_pair(pair.agreed, audit=False)
    return replayed
