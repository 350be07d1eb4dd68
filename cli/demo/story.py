"""The acts of a demonstration: observe, convert, prove, replace."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console

from cli.context import fail
from cli.demo.scoreboard import Scoreboard, task_table
from cli.demo.stage import Stage
from cli.demo.traffic import Workers
from cli.demo.verdict import Verdict, verdict
from router.gate.scorers.by_kind import Kind

_SETTLE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.5
_ENDED: Final = ("live", "demoted")

Interlude = Callable[[Stage], None]
"""Something that happens between the proof and the count."""


@dataclass(frozen=True, slots=True)
class Acts:
    """How long each act is."""

    observed: int
    """Pieces of work before the conversion."""
    counted: int
    """Pieces of work after the promotion."""
    patience: float
    """Seconds that understudies are given to be proved."""


def play(
    stage: Stage, workers: Workers, acts: Acts, console: Console, interlude: Interlude | None = None
) -> Verdict:
    """Play all acts; returns what became of the calls after the promotion."""
    board = Scoreboard(stage, console)
    board.act("Observe: the agent works through the proxy, and every call is logged.")
    with board.shown():
        made = workers.work(acts.observed, _nothing)
        _settled(stage, made)
        _told(console, stage, "before")

        board.act(
            "Convert: find the tasks in the log, train an understudy for each, test it on held-out calls."
        )
        stage.understudy("convert", log="convert.log")

        board.act(
            "Prove: the agent goes on; understudies answer in the shadow, then 5% and 25% of sessions, then all."
        )
        with workers.working():
            if not _proved(stage, acts.patience):
                console.print("  no understudy is good enough: every call stays with the LLM")
        _told(console, stage, "during")

        if interlude is not None:
            interlude(stage)
        board.act("Replace: what was proved is answered by understudies, everything else by the LLM.")
        _quiet(stage)
        since = time.time_ns() // 1000
        before = stage.ask("/stats", window="all")["calls"]
        made = workers.work(acts.counted, _nothing)
        _settled(stage, before + made)
    console.print(task_table(tasks_of(stage)))
    return verdict(stage, since, {task["id"]: _kind(task) for task in tasks_of(stage)})


def tasks_of(stage: Stage) -> list[dict[str, Any]]:
    """The tasks as the proxy tells them."""
    tasks: list[dict[str, Any]] = stage.ask("/tasks", window="1h")["tasks"]
    return tasks


def _kind(task: dict[str, Any]) -> Kind:
    kind: Kind = task["kind"]
    return kind


def _nothing() -> None:
    """The scoreboard shows the progress."""


def _proved(stage: Stage, patience: float) -> bool:
    """Wait until every understudy is live or demoted; what is not by then goes on as it is. False where there is none."""
    deadline = time.monotonic() + patience
    while states := _states(stage):
        if all(state in _ENDED for state in states) or time.monotonic() > deadline:
            return True
        time.sleep(_LOOK_SECONDS)
    return False


def _states(stage: Stage) -> Sequence[str]:
    return [task["state"] for task in tasks_of(stage) if task["understudy"]]


def _settled(stage: Stage, calls: int) -> None:
    """Wait until so many calls are in the database."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while (shipped := stage.ask("/stats", window="all")["calls"] or 0) < calls:
        if time.monotonic() > deadline:
            fail(
                f"{calls} calls were made and {shipped} reached the database; see {stage.folder / 'proxy.log'}"
            )
        time.sleep(0.2)


def _quiet(stage: Stage) -> None:
    """Wait until the calls of the act before are all in the database."""
    last, deadline = -1, time.monotonic() + _SETTLE_SECONDS
    while (now := stage.ask("/stats", window="all")["calls"]) != last and time.monotonic() < deadline:
        last = now
        time.sleep(2 * _LOOK_SECONDS)


def _told(console: Console, stage: Stage, when: str) -> None:
    stats = stage.ask("/stats", window="all")
    rate = stats["replacement_rate"]["calls"] or 0.0
    console.print(f"  {when}: replacement rate {rate:.1%} of {stats['routable']:,} calls", highlight=False)
