"""Reception: arrived calls are read once, and what they tell and lead to is stored with the position reached."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from config.load import Configuration
from gatekeeper.budget import Budget, Spent
from gatekeeper.intake import Intake, Taken
from gatekeeper.ledger import Ledger
from gatekeeper.policies import audit_share
from gatekeeper.standing import Standing
from gatekeeper.targets import upstream_target
from router.decision import Query
from router.read import Reading
from router.share import position
from store.arrivals import Arrivals
from store.calls import Calls, CallSummary
from store.cursors import Cursors
from store.deployments import AT_WORK, Deployments, TrialRow
from store.errors import SealError

_ARRIVALS: Final = "gatekeeper/arrivals"
_MOST_WAITING: Final = 2000
"""Trials of one understudy that may wait; what comes beyond them while its engine is down is not compared."""


class Reception:
    """Takes arrivals in, under the lease; `begin` goes on where this or another process left off."""

    def __init__(
        self,
        configuration: Configuration,
        arrivals: Arrivals,
        cursors: Cursors,
        calls: Calls,
        deployments: Deployments,
        budget: Budget,
    ) -> None:
        self.passed_over: Counter[str] = Counter()
        """Calls that were not queued to be compared, by reason."""
        self.notes: dict[str, str] = {}
        """What understudies wait for."""
        self._configuration = configuration
        self._arrivals = arrivals
        self._cursors = cursors
        self._calls = calls
        self._deployments = deployments
        self._ledger = Ledger(deployments)
        self._budget = budget
        self._position = 0
        settings = configuration.settings
        self._intake = Intake(lambda rule: audit_share(settings, rule), self._tried)

    def begin(self) -> None:
        """Find the position. Raises DatabaseAway."""
        self._position = int(self._cursors.get(_ARRIVALS) or 0)

    def take(self, standings: Sequence[Standing], spent: Spent) -> bool:
        """Take the next arrivals in; returns whether there were any, or a move to make. Raises StoreError."""
        arrived = self._arrivals.since(self._position)
        ready = {each.row.understudy: each for each in standings if each.renewed or each.move()}
        if arrived.position == self._position and not ready:
            return False
        at_work = [each for each in standings if each.state in AT_WORK]
        calls = self._calls.summaries(arrived.calls) if at_work and arrived.calls else []
        taken = self._intake.take(calls, at_work, time.time_ns() // 1000) if calls else Taken({})
        self._ledger.write(
            {**ready, **taken.standings},
            standings,
            queued=self._worth_queueing(taken.trials, calls, spent),
            cursors={_ARRIVALS: str(arrived.position)},
        )
        self._position = arrived.position
        return True

    def forget(self) -> None:
        """Drop the notes of arrivals that were read."""
        self._arrivals.forget(self._position)

    def _worth_queueing(
        self, trials: Sequence[TrialRow], calls: Sequence[CallSummary], spent: Spent
    ) -> list[TrialRow]:
        """Those that the budget, the keys and the queue allow."""
        if not trials:
            return []
        models = {call.id: call.model for call in calls}
        waiting = Counter(self._deployments.waiting())
        worth = []
        for trial in trials:
            if reason := self._why_not(trial, models[trial.call_id], waiting, spent):
                self.passed_over[reason] += 1
            else:
                waiting[trial.understudy] += 1
                worth.append(trial)
        return worth

    def _why_not(self, trial: TrialRow, model: str, waiting: Mapping[str, int], spent: Spent) -> str:
        if waiting[trial.understudy] >= _MOST_WAITING:
            return "too many calls wait to be compared already"
        if not self._budget.left(spent):
            return "the day's requests are used up"
        if trial.source == "shadow":
            return ""
        if missing := upstream_target(self._configuration, model).missing_key:
            self.notes[trial.understudy] = f"it cannot be audited: {missing} is not set"
            return f"{missing} is not set"
        self.notes.pop(trial.understudy, None)
        return "" if self._budget.affords_upstream(spent) else "the day's dollars are used up"

    def _tried(self, call: CallSummary, answering: Sequence[Standing]) -> Standing | None:
        """Which of several understudies a call was sent to before it fell back: the router's own choice."""
        query = self._query(call) if answering else None
        if query is None:
            return None
        reading = Reading(query)
        newest_first = sorted(answering, key=lambda each: each.row.created, reverse=True)
        return next(
            (each for each in newest_first if position(reading, each.row.understudy) < each.share), None
        )

    def _query(self, call: CallSummary) -> Query | None:
        try:
            found = self._calls.get(call.id)
            body = orjson.loads(found.request.data) if found and found.request.kind == "json" else None
        except (SealError, orjson.JSONDecodeError):
            return None
        if found is None or not isinstance(body, dict):
            return None
        headers = {"x-understudy-session": found.session_name} if found.session_name else {}
        return Query(call.endpoint, body, call.request_size, headers, call.key)
