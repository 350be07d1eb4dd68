"""Where changes are written down: evidence, pairs and moves of any number of understudies in one transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from gatekeeper.standing import ANSWERING, Standing, superseded
from router.gate.states import Move
from store.deployments import Deployments, TrialRow

log = logging.getLogger("understudy.gatekeeper")


class Ledger:
    """Decides on moves and stores them with what led to them; methods raise DatabaseAway and Outdated."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    def write(
        self,
        touched: Mapping[str, Standing],
        standings: Sequence[Standing],
        *,
        queued: Sequence[TrialRow] = (),
        done: Sequence[TrialRow] = (),
        cursors: Mapping[str, str] | None = None,
    ) -> Sequence[Move]:
        """Store what became known of the touched ones among all standings; returns the moves that followed."""
        moves = {name: move for name, each in touched.items() if (move := each.move()) is not None}
        for name, move in list(moves.items()):
            if move.after == "live":
                moves |= _retired(touched[name], standings, moves)
        latest = {each.row.understudy: each for each in standings} | dict(touched)
        changes = [latest[name].change(moves.get(name)) for name in touched.keys() | moves.keys()]
        if changes or queued or done or cursors:
            now = time.time_ns() // 1000
            self._deployments.apply(changes, at=now, queued=queued, done=done, cursors=cursors)
        for name, move in moves.items():
            log.info("%s: %s -> %s (%s): %s", name, move.before, move.after, move.rule, move.sentence)
        return list(moves.values())


def _retired(
    successor: Standing, standings: Sequence[Standing], moves: Mapping[str, Move]
) -> dict[str, Move]:
    """The moves of older understudies of the same task, whose place the successor takes."""
    return {
        each.row.understudy: superseded(each, successor)
        for each in standings
        if each.row.task == successor.row.task
        and each.state in ANSWERING
        and each.row.created <= successor.row.created
        and each.row.understudy != successor.row.understudy
        and each.row.understudy not in moves
    }
