"""Calls as they arrive: what each tells of its task's understudies at once, and the trials that it leads to. Pure, but
for the one look at a call's content that tells whose answer failed, where two understudies share a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from gatekeeper.known import Known
from gatekeeper.standing import ANSWERING, Standing
from store.calls import CallSummary
from store.deployments import Source, TrialRow

_CHALLENGED: Final = 0.2
"""Share of replaced calls that is audited while a newer understudy waits in shadow, which has no other calls to be
compared on once the older one answers everything."""
_UNSURE: Final = "confidence"
"""The cause of a fallback that proves nothing of the agreement either way: an unsure understudy does as it should."""
_HEALTH: Final[Mapping[str, Mapping[str, bool]]] = {
    "schema": {"schema": False, "errors": True},
    "tool": {"schema": False, "errors": True},
    "empty": {"schema": False, "errors": True},
    "truncated": {"schema": False, "errors": True},
    "refusal": {"schema": False, "errors": True},
    "malformed": {"schema": False, "errors": True},
    "protocol": {"errors": False},
    "status": {"errors": False},
    "error_event": {"errors": False},
    "too_large": {"errors": False},
    "timeout": {"latency": False},
    _UNSURE: {"coverage": False},
}
"""What each cause of a fallback says of the understudy. Those not named (no connection, an open breaker, a model that is
not loaded yet) say something of its engine."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a batch of arrivals led to."""

    standings: Mapping[str, Standing]
    """By understudy, those that something became known of."""
    trials: Sequence[TrialRow] = field(default_factory=tuple)


class Intake:
    """Takes arrived calls in.

    `audit_share` gives the share to audit of calls that a rule took; `tried` tells which of several understudies was
    asked before a call fell back, where that cannot be told from its row."""

    def __init__(
        self,
        audit_share: Callable[[str], float],
        tried: Callable[[CallSummary, Sequence[Standing]], Standing | None],
    ) -> None:
        self._audit_share = audit_share
        self._tried = tried

    def take(self, calls: Sequence[CallSummary], standings: Sequence[Standing], now: int) -> Taken:
        """Take calls in, in order; `now` is Unix microseconds."""
        current = {standing.row.understudy: standing for standing in standings}
        touched: set[str] = set()
        trials: list[TrialRow] = []
        for call in calls:
            about = [each for each in current.values() if each.row.task == call.task]
            for name, known in self._told(call, about).items():
                current[name] = known
                touched.add(name)
            trials += (
                TrialRow(standing.row.understudy, call.id, source, now)
                for standing in about
                if (source := self._source(call, standing, about)) is not None
            )
        return Taken({name: current[name] for name in touched}, trials)

    def _told(self, call: CallSummary, about: Sequence[Standing]) -> dict[str, Standing]:
        """The understudies that a call says something of, after it."""
        seconds = call.duration / 1e6
        if call.route == "slm":
            served = [each for each in about if each.row.understudy == call.understudy]
            return _each(served, lambda each: each.known.after_served(seconds, each.policy))
        if call.fallback:
            return self._failed(call, about)
        if call.status != 200:
            return {}
        return _each(about, lambda each: each.known.after_llm(seconds))

    def _failed(self, call: CallSummary, about: Sequence[Standing]) -> dict[str, Standing]:
        answering = [each for each in about if each.state in ANSWERING]
        tried = answering[0] if len(answering) == 1 else self._tried(call, answering)
        good = _HEALTH.get(call.fallback)
        if tried is None or good is None:
            return {}
        failed = _each([tried], lambda each: each.known.after_health(each.policy, **good))
        if call.fallback == _UNSURE:
            return _each(list(failed.values()), lambda each: each.known.after_pair(None, audit=False))
        return failed

    def _source(self, call: CallSummary, standing: Standing, about: Sequence[Standing]) -> Source | None:
        if call.status != 200 or call.truncated:
            return None
        if call.route == "slm":
            if call.understudy != standing.row.understudy:
                return None
            return "audit" if self._sampled(call, self._audited(call, standing, about)) else None
        if call.fallback:  # it was asked already
            return None
        share = 1.0 if standing.state == "shadow" else self._audit_share(call.rule)
        return "shadow" if self._sampled(call, share) else None

    def _audited(self, call: CallSummary, standing: Standing, about: Sequence[Standing]) -> float:
        if standing.needs_audits:
            return 1.0
        challenged = any(each.state == "shadow" for each in about)
        return max(self._audit_share(call.rule), _CHALLENGED if challenged else 0.0)

    def _sampled(self, call: CallSummary, share: float) -> bool:
        """Whether a call is in the sample: the same calls on every host and after a restart."""
        digest = blake2b(call.id.encode(), digest_size=8, person=b"audit").digest()
        return int.from_bytes(digest, "big") / 2**64 < share


def _each(standings: Sequence[Standing], after: Callable[[Standing], Known]) -> dict[str, Standing]:
    return {each.row.understudy: each.knowing(after(each)) for each in standings}
