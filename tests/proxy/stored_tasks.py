"""A store with two tasks, one of them with an understudy that has come far and one that has not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Engine

from store.deployments import DeploymentRow, Deployments, MoveRow, PairRow, Source
from store.keyring import KeyRing, Sealer
from store.pair_answers import PairAnswers
from store.tasks import TaskRow, Tasks
from wire.answer import Answer

LABEL: Final = "support/ticket-label"
PLAN: Final = "desk/plan"
DAY: Final = 86_400_000_000
LIVE, TRIED = f"{LABEL}@1", f"{LABEL}@2"


def fill(engine: Engine, ring: KeyRing, now: int, calls: Sequence[str] = ()) -> None:
    """Store them; `now` is in Unix microseconds, `calls` are stored calls that pairs are made of."""
    sealer = Sealer(ring)
    Tasks(engine, sealer).save(
        [
            TaskRow(
                LABEL,
                "label of a support ticket",
                "label",
                900,
                0.6,
                ("billing", "card", "other"),
                created=now,
            ),
            TaskRow(PLAN, "the next step of a plan", "text", 600, 0.4, created=now),
            TaskRow("old/one", "no longer found", "text", 10, 0.1, created=now, retired=now),
        ]
    )
    deployments = Deployments(engine)
    offline = {"successes": 98, "trials": 100, "target": 0.95, "lower": 0.951, "coverage": 0.9}
    for understudy, created in ((LIVE, now - DAY), (TRIED, now)):
        row = DeploymentRow(
            understudy,
            LABEL,
            "label",
            "heads",
            understudy,
            "/models/head",
            "observe",
            0.8,
            0.951,
            0.95,
            offline,
        )
        deployments.create(_created(row, created))
    shadow = MoveRow(
        "observe", "shadow", "offline", "98 of 100 held-out calls agree", {"agreed": 98}, now - DAY // 2
    )
    deployments.record(LIVE, _pairs(ring, now, calls), b"", shadow, now)
    canary = MoveRow("shadow", "canary5", "certified", "more than 0.95 is established", {"log_e": 4.1}, now)
    deployments.record(LIVE, (), b"", canary, now)


def _created(row: DeploymentRow, created: int) -> DeploymentRow:
    return DeploymentRow(**{name: getattr(row, name) for name in row.__slots__} | {"created": created})


def _pairs(ring: KeyRing, now: int, calls: Sequence[str]) -> list[PairRow]:
    answers = PairAnswers(Sealer(ring))
    outcomes = (True, True, False, None)
    pairs = []
    for number, (call, agreed) in enumerate(zip(calls, outcomes, strict=False)):
        source: Source = "audit" if number == 1 else "shadow"
        sealed = answers.seal(LIVE, call, Answer(text=f"other side of {number}"))
        pairs.append(PairRow(LIVE, call, source, now + number, agreed, answer=sealed))
    return pairs
