"""One trial: ask whom the agent did not hear, and compare.

Shadow asks the understudy what the LLM was asked; audit asks the LLM what the understudy was asked, and understudies in
shadow beside it, which would find no call that the LLM answered once another understudy answers all.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from gatekeeper.asking import WAITED_FOR, Asker, Fault, Reply
from gatekeeper.standing import Standing
from gatekeeper.subject import Subject, Unusable
from gatekeeper.targets import Target
from router.gate.scorers.by_kind import Kind, scorer_for
from router.gate.scorers.free_text import Similarity
from router.gate.scorers.score import Score
from store.calls import Calls
from store.deployments import Deployments, PairRow, TrialRow
from store.errors import SealError
from store.pair_answers import PairAnswers
from store.prices import Prices
from wire.answer import Answer, answer_of
from wire.certainty import asking, certainty
from wire.check import AnswerChecker
from wire.usage import read_usage

_HEALTH: Final[Mapping[str, Mapping[str, bool]]] = {
    "timeout": {"latency": False},
    "broken": {"errors": False},
    "request": {"errors": False},
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a trial says of one understudy."""

    understudy: str
    pair: PairRow
    health: Mapping[str, bool] = field(default_factory=dict)
    """What was good of `schema`, `errors`, `latency`, `coverage`."""
    repeat: bool | None = None
    """Whether the LLM agreed with itself, where it was asked the same before."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended."""

    trial: TrialRow
    told: Sequence[Told] = ()
    requests: int = 0
    cost: int = 0
    """Nano-dollars."""
    asked: str = ""
    """Name of the server that was asked."""
    fault: Fault | None = None
    """Why the server has to be waited for; the trial is made again then."""
    wait: float = 0.0
    """Seconds that the server asked for."""
    status: int = 0
    dropped: str = ""
    """Why the call cannot be used; empty when it was."""


@dataclass(frozen=True, slots=True)
class Trier:
    """Makes trials; keeps nothing between them."""

    calls: Calls
    deployments: Deployments
    asker: Asker
    checker: AnswerChecker
    answers: PairAnswers
    prices: Prices
    digest_key: bytes = field(repr=False)
    likeness: Similarity | None = None
    """How free text is compared; words in common where it is None."""

    async def shadow(self, trial: TrialRow, standing: Standing, engine: Target) -> Outcome:
        """Ask the understudy what the LLM has answered."""
        try:
            subject = await asyncio.to_thread(self._subject, trial)
        except Unusable as error:
            return Outcome(trial, dropped=str(error))
        reply = await self._ask_understudy(standing, engine, subject)
        if reply.fault in WAITED_FOR:
            return _waiting(trial, engine, reply)
        told = self._compared(standing, subject, subject.answer, reply)
        repeat = await asyncio.to_thread(self._repeat, standing, subject, told.pair.request)
        judged = dataclasses.replace(told, repeat=repeat)
        return Outcome(trial, (judged,), requests=1, asked=engine.name)

    async def audit(
        self,
        trial: TrialRow,
        standing: Standing,
        upstream_of: Callable[[str], Target],
        challengers: Sequence[tuple[Standing, Target]] = (),
    ) -> Outcome:
        """Ask the LLM what the understudy has answered, and challengers too; `upstream_of` knows who serves a model."""
        try:
            subject = await asyncio.to_thread(self._subject, trial)
        except Unusable as error:
            return Outcome(trial, dropped=str(error))
        upstream = upstream_of(subject.model)
        reply = await self.asker.ask(upstream, subject.endpoint, subject.path, subject.body(subject.model))
        if reply.fault in WAITED_FOR and reply.status != 404:
            return _waiting(trial, upstream, reply)
        if reply.fault is not None:
            reason = f"the LLM gave no answer ({reply.fault}, status {reply.status})"
            return Outcome(trial, requests=1, asked=upstream.name, dropped=reason)
        llm = answer_of(subject.endpoint, reply.body)
        told = [self._audited(standing, subject, llm, reply)]
        asked = await asyncio.gather(
            *(self._challenged(each, engine, subject, llm) for each, engine in challengers)
        )
        told += [each for each in asked if each is not None]
        return Outcome(trial, told, 1 + len(challengers), self._cost(subject, reply), upstream.name)

    def _subject(self, trial: TrialRow) -> Subject:
        try:
            return Subject.of(self.calls.get(trial.call_id))
        except SealError:
            raise Unusable("the key of its content is missing") from None

    async def _ask_understudy(self, standing: Standing, engine: Target, subject: Subject) -> Reply:
        """Ask as the proxy does: where there is a threshold, for the probabilities of tokens too."""
        body = subject.body(standing.row.model)
        if standing.row.threshold > 0 and engine.gives_logprobs:
            body = asking(subject.endpoint, body)
        reply = await self.asker.ask(engine, subject.endpoint, subject.path, body)
        if reply.confidence is None and engine.gives_logprobs:
            return dataclasses.replace(reply, confidence=certainty(subject.endpoint, reply.body))
        return reply

    async def _challenged(
        self, standing: Standing, engine: Target, subject: Subject, llm: Answer
    ) -> Told | None:
        reply = await self._ask_understudy(standing, engine, subject)
        return None if reply.fault in WAITED_FOR else self._compared(standing, subject, llm, reply)

    def _compared(self, standing: Standing, subject: Subject, llm: Answer, reply: Reply) -> Told:
        """What an understudy's reply is worth beside the LLM's answer."""
        name = standing.row.understudy
        if reply.fault is not None:
            pair = self._pair(standing, subject, reply, None, f"no answer: {reply.fault}")
            return Told(name, pair, _HEALTH[reply.fault])
        if (cause := self.checker.check(subject.endpoint, subject.request, reply.body)) is not None:
            pair = self._pair(standing, subject, reply, None, f"not usable: {cause}")
            return Told(name, pair, {"schema": False, "errors": True})
        said = answer_of(subject.endpoint, reply.body)
        sealed = self.answers.seal(name, subject.call_id, said)
        unsure = _unsure(reply.confidence, standing.row.threshold)
        score = None if unsure else self._score(standing, subject, llm, said)
        why = "not sure enough" if score is None else score.why
        pair = self._pair(standing, subject, reply, score, why, answer=sealed)
        return Told(name, pair, {"schema": True, "errors": True, "coverage": not unsure})

    def _audited(self, standing: Standing, subject: Subject, llm: Answer, reply: Reply) -> Told:
        name = standing.row.understudy
        score = self._score(standing, subject, llm, subject.answer)
        sealed = self.answers.seal(name, subject.call_id, llm)
        pair = PairRow(
            understudy=name,
            call_id=subject.call_id,
            source="audit",
            at=_now(),
            agreed=score.agrees,
            value=score.value,
            confidence=subject.confidence,
            why=score.why,
            request=subject.digest(self.digest_key),
            cost=self._cost(subject, reply),
            latency=round(reply.seconds * 1e6),
            answer=sealed,
        )
        return Told(name, pair)

    def _pair(
        self,
        standing: Standing,
        subject: Subject,
        reply: Reply,
        score: Score | None,
        why: str,
        *,
        answer: bytes = b"",
    ) -> PairRow:
        return PairRow(
            understudy=standing.row.understudy,
            call_id=subject.call_id,
            source="shadow",
            at=_now(),
            agreed=None if score is None else score.agrees,
            value=0.0 if score is None else score.value,
            confidence=reply.confidence,
            why=why,
            request=subject.digest(self.digest_key),
            latency=round(reply.seconds * 1e6),
            answer=answer,
        )

    def _score(self, standing: Standing, subject: Subject, llm: Answer, understudy: Answer) -> Score:
        kind = cast("Kind", standing.row.kind)
        return scorer_for(kind, subject.request, self.likeness).score(llm, understudy)

    def _repeat(self, standing: Standing, subject: Subject, digest: bytes) -> bool | None:
        """Whether the LLM agrees with what it said to the same request before; None when there was none."""
        earlier = self.deployments.repeated(standing.row.understudy, digest)
        if earlier is None or earlier == subject.call_id:
            return None
        try:
            before = Subject.of(self.calls.get(earlier))
        except (Unusable, SealError):
            return None
        return self._score(standing, subject, before.answer, subject.answer).agrees

    def _cost(self, subject: Subject, reply: Reply) -> int:
        usage = read_usage(subject.endpoint, reply.body)
        return 0 if usage is None else self.prices.cost(subject.model, usage) or 0


def _waiting(trial: TrialRow, target: Target, reply: Reply) -> Outcome:
    return Outcome(
        trial, requests=1, asked=target.name, fault=reply.fault, wait=reply.wait, status=reply.status
    )


def _unsure(confidence: float | None, threshold: float) -> bool:
    return threshold > 0 and (confidence is None or confidence < threshold)


def _now() -> int:
    return time.time_ns() // 1000
