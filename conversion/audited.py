"""What the LLM says of calls that understudies answer, as audits find out: without it, an understudy at work would hide
from its successor everything that it does well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from store.deployments import Deployments
from store.errors import SealError
from store.pair_answers import PairAnswers
from wire.answer import Answer

_LATEST: Final = 20_000
"""Pairs of one understudy that are looked through, the newest."""


class Audited:
    """The LLM's answers to replaced calls, by understudy and call; read when the first is asked for."""

    def __init__(self, deployments: Deployments, answers: PairAnswers) -> None:
        self._deployments = deployments
        self._answers = answers
        self._sealed: dict[str, Mapping[str, bytes]] = {}

    def __call__(self, understudy: str, call_id: str) -> Answer | None:
        """What the LLM answered; None when the call was not audited. Raises DatabaseAway."""
        if understudy not in self._sealed:
            pairs = self._deployments.pairs(understudy, _LATEST)
            self._sealed[understudy] = {
                pair.call_id: pair.answer for pair in pairs if pair.source == "audit" and pair.answer
            }
        sealed = self._sealed[understudy].get(call_id)
        if sealed is None:
            return None
        try:
            return self._answers.open(understudy, call_id, sealed)
        except SealError:
            return None
