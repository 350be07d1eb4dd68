"""A week of a support desk as the log would hold it: made up, for pictures and for pages that have much to show.

Every answer is the simulator's; times, shares and moves follow one plan, so that the figures of all pages fit together.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final

import orjson
from sqlalchemy import Engine

from benchmarks.records import record_of
from serving.endpoints.prompt import Prompt
from simulator.desk.prompts import LABELS, ORDER_SCHEMA, QUEUES, SYSTEM, Kind
from simulator.support_desk import SupportDesk
from simulator.tickets import ticket
from store.call_id import show
from store.database_sink import DatabaseSink
from store.deployments import Change, DeploymentRow, Deployments, MoveRow, PairRow
from store.keyring import DIGEST, KeyRing, Sealer
from store.pair_answers import PairAnswers
from store.prices import Prices
from store.record import Attempt, Record
from store.tasks import TaskRow, Tasks
from wire.answer import Answer

MODEL: Final = "gpt-4o"
PRICES: Final[dict[str, Any]] = {"gpt-4o": {"input": 2.5, "output": 10.0}}
_HOURS: Final = 7 * 24 - 12
_PER_HOUR: Final = 36
_HOUR_US: Final = 3_600_000_000
_BATCH: Final = 2_000
_SHARE: Final = {"observe": 0.0, "shadow": 0.0, "canary5": 0.05, "canary25": 0.25, "live": 1.0}
_PAIRS: Final = 240
_HEADS: Final = "heads/minilm-l6-v2"


@dataclass(frozen=True)
class Plan:
    """One task and what became of it; `moves` are hours ago, of shadow, canary5, canary25 and live, in this order."""

    kind: Kind
    task: str
    title: str
    answers: str
    labels: tuple[str, ...] = ()
    moves: tuple[float, ...] = ()
    sure: float = 0.95
    """The share of calls that its understudy answers rather than hands over."""

    @property
    def understudy(self) -> str:
        return f"{self.task}@1" if self.moves else ""

    def state(self, ago: float) -> str:
        """So many hours ago."""
        return tuple(_SHARE)[sum(moved >= ago for moved in self.moves)]

    @cached_property
    def schema(self) -> dict[str, Any]:
        """What its requests ask for beyond words."""
        if self.answers != "json":
            return {}
        return {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "order", "schema": ORDER_SCHEMA},
            }
        }


PLANS: Final = (
    Plan("classify", "support/ticket-label", "label of a support ticket", "label", LABELS, (140, 134, 131, 128), 0.94),
    Plan("urgency", "support/urgent", "is the ticket urgent", "label", ("yes", "no"), (104, 96, 92, 88), 0.97),
    Plan("queue", "support/queue", "which team has to act", "label", tuple(sorted(set(QUEUES.values()))), (60, 52, 48, 44)),
    Plan("extract", "orders/fields", "order fields of a ticket", "json", (), (30, 20, 9), 0.9),
    Plan("reply", "support/reply", "reply to a customer", "text", (), (14,), 0.8),
    Plan("plan", "desk/plan", "the next step of a plan", "text"),
)  # fmt: skip


def write(engine: Engine, ring: KeyRing, now: int) -> int:
    """Store the week before `now` (Unix microseconds); returns how many calls that are."""
    sealer = Sealer(ring)
    share = 1 / len(PLANS)
    tasks = [
        TaskRow(plan.task, plan.title, plan.answers, _HOURS * _PER_HOUR // len(PLANS), share, plan.labels, created=now - 150 * _HOUR_US)
        for plan in PLANS
    ]  # fmt: skip
    Tasks(engine, sealer).save(tasks)
    deployments = Deployments(engine)
    for plan in PLANS:
        if plan.moves:
            _deploy(deployments, plan, now)
    sink = DatabaseSink(engine, sealer, ring.active.derive(DIGEST), Prices(PRICES))
    records, count = _records(now), 0
    while batch := list(islice(records, _BATCH)):
        sink.write(batch, [])
        count += len(batch)
        latest = batch
    _compare(deployments, PairAnswers(sealer), latest)
    return count


def _records(now: int) -> Iterator[Record]:
    """Calls of every hour, by day more than by night."""
    chance, desk = random.Random(7), SupportDesk(noise=0.0)
    number = 0
    for hour in range(_HOURS, 0, -1):
        busy = 1 + 0.6 * math.sin((now // _HOUR_US - hour) % 24 / 24 * 2 * math.pi - math.pi / 2)
        calls = round(_PER_HOUR * busy)
        for place in range(calls):
            started = now - hour * _HOUR_US + (place * 3600 // calls) * 1_000_000
            plan = PLANS[number % len(PLANS)]
            yield _record(plan, number, started, hour, chance, desk)
            number += 1


def _record(
    plan: Plan, number: int, started: int, ago: float, chance: random.Random, desk: SupportDesk
) -> Record:
    tried = chance.random() < _SHARE[plan.state(ago)]
    replaced = tried and chance.random() < plan.sure
    request = _request(plan, number)
    answer = _said(desk, request)
    own = int(chance.lognormvariate(9.6, 0.4))
    llm = int(chance.lognormvariate(13.3 if plan.answers == "label" else 14.4, 0.35))
    body = orjson.dumps(request)
    usage = {"prompt_tokens": len(body) // 4, "completion_tokens": max(1, len(answer) // 4)}
    response = orjson.dumps(_completion(answer, usage))
    served = plan.understudy if replaced else MODEL
    attempts = (
        *((Attempt("slm", "heads", 200, "" if replaced else "confidence", own),) if tried else ()),
        *(() if replaced else (Attempt("upstream", "openai", 200, "", llm),)),
    )
    return record_of(
        id=(started // 1000).to_bytes(6, "big") + b"\x70" + chance.randbytes(1) + b"\x80" + chance.randbytes(7),
        started_us=started,
        duration_us=own if replaced else llm + (own if tried else 0),
        first_byte_us=own if replaced else llm // 3,
        overhead_us=chance.randrange(250, 900),
        route="slm" if replaced else "upstream",
        target="heads" if replaced else "openai",
        requested_model=MODEL,
        served_model=served,
        understudy=plan.understudy if replaced else "",
        task=plan.task,
        rule="plans stay with the LLM" if plan.kind == "plan" else "defaults",
        reason=_reason(plan, replaced=replaced, tried=tried),
        confidence=round(chance.uniform(0.9, 1.0), 3) if tried else None,
        fallback="confidence" if tried and not replaced else "",
        session=f"ticket-{number // len(PLANS)}",
        config="3f0c1a5be27d",
        request=body,
        response=response,
        attempts=attempts,
    )  # fmt: skip


def _request(plan: Plan, number: int) -> dict[str, Any]:
    asked = f"Ticket:\n{ticket(number // len(PLANS), seed=7).text}"
    turns = [{"role": "system", "content": SYSTEM[plan.kind]}, {"role": "user", "content": asked}]
    return {"model": MODEL, "temperature": 0, "messages": turns, **plan.schema}


def _said(desk: SupportDesk, request: dict[str, Any]) -> str:
    schema = ORDER_SCHEMA if "response_format" in request else None
    said = desk.answer(
        Prompt(request, MODEL, tuple(request["messages"]), schema=schema, temperature=0.0, digest="0" * 16)
    )
    return said.content or ""


def _completion(answer: str, usage: dict[str, int]) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [choice],
        "usage": usage,
    }


def _reason(plan: Plan, *, replaced: bool, tried: bool) -> str:
    if replaced:
        return f"{plan.understudy} is certified for task {plan.task}: it agrees in at least 98.1% of answers"
    if tried:
        return f"{plan.understudy} was not sure enough of this answer, so the upstream answered"
    return "no understudy is certified for this call"


def _deploy(deployments: Deployments, plan: Plan, now: int) -> None:
    offline = {
        "target": 0.95,
        "coverage": plan.sure,
        "successes": 238,
        "trials": 240,
        "lower": 0.981,
        "sentence": "238 of 240 held-out pairs agree: the lower bound 0.9739 (confidence 0.95) reaches 0.95",
    }
    certified = 0.981 if len(plan.moves) > 1 else 0.974
    created = now - int((plan.moves[0] + 0.2) * _HOUR_US)
    deployments.create(
        DeploymentRow(
            understudy=plan.understudy,
            task=plan.task,
            kind=plan.answers,
            engine="heads",
            model=_HEADS,
            files="",
            threshold=0.8,
            agreement=certified,
            confidence=0.95,
            offline=offline,
            created=created,
        )
    )
    told = (
        ("offline", offline["sentence"], {"agreed": 238, "pairs": 240}),
        ("certified", "87 of 87 pairs agree: more than 0.95 is established", {"log_evidence": 3.22}),
        ("steady", "50 calls answered and 24 audited without alarm: 25% of sessions", {"answered": 50, "audited": 24}),
        ("steady", "50 calls answered and 22 audited without alarm: 100% of sessions", {"answered": 50, "audited": 22}),
    )  # fmt: skip
    states = tuple(_SHARE)
    for step, ago in enumerate(plan.moves):
        rule, sentence, numbers = told[step]
        at = now - int(ago * _HOUR_US)
        move = MoveRow(states[step], states[step + 1], rule, str(sentence), numbers, at)
        deployments.apply([Change(plan.understudy, b"", move=move)], at=at)


def _compare(deployments: Deployments, answers: PairAnswers, records: list[Record]) -> None:
    """Pairs of the latest calls; one in a hundred differs."""
    for plan in PLANS:
        mine = [record for record in records if record.task == plan.task and plan.moves][-_PAIRS:]
        pairs = [_pair(plan, record, len(mine) - number, answers) for number, record in enumerate(mine)]
        if pairs:
            deployments.apply([Change(plan.understudy, b"", pairs)], at=pairs[-1].at)


def _pair(plan: Plan, record: Record, number: int, answers: PairAnswers) -> PairRow:
    call = show(record.id)
    differs = number % 100 == 3
    abstained = not differs and number % 20 == 9
    said = orjson.loads(record.response or b"")["choices"][0]["message"]["content"]
    other = _another(plan, said) if differs else said
    return PairRow(
        understudy=plan.understudy,
        call_id=call,
        source="audit" if record.route == "slm" else "shadow",
        at=record.started_us,
        agreed=None if abstained else not differs,
        value=0.0 if differs else 1.0,
        confidence=record.confidence,
        why="the labels differ" if differs else "equal after normalising",
        request=record.id,
        answer=answers.seal(plan.understudy, call, Answer(text=other, finish_reason="stop")),
    )


def _another(plan: Plan, said: str) -> str:
    if plan.labels:
        return next(label for label in plan.labels if label != said)
    return said.replace("ORD-", "ORD-1") if "ORD-" in said else f"{said} Please tell us more."
