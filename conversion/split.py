"""The split: by session and by time. What is trained on is oldest, what the gate looks at is newest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from conversion.example import Example
from conversion.task import Task, TaskData


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of a task's examples."""

    training: float = 0.6
    calibration: float = 0.15
    """The rest is held out."""


def split(task: Task, examples: Sequence[Example], shares: Shares = Shares()) -> TaskData:
    """The examples of one task in three parts, each later than the one before.

    A session belongs to the part in which it begins; those of its calls that come after that part has ended are left
    out, so that no part sees what came later and none shares a session with another."""
    ordered = sorted(examples, key=lambda example: (example.started, example.call_id))
    sessions = _sessions(ordered)
    first, second = _cuts([len(calls) for calls in sessions], shares)
    parts = sessions[:first], sessions[first:second], sessions[second:]
    ends = [_beginning(sessions, first), _beginning(sessions, second), None]
    training, calibration, held_out = (
        tuple(_before(part, end)) for part, end in zip(parts, ends, strict=True)
    )
    return TaskData(task, training, calibration, held_out)


def one_a_session(examples: Iterable[Example]) -> tuple[Example, ...]:
    """The first example of each session: what is counted on must not hang together."""
    first: dict[str, Example] = {}
    for example in examples:
        first.setdefault(example.session, example)
    return tuple(first.values())


def _sessions(ordered: Sequence[Example]) -> list[list[Example]]:
    """Sessions by their beginning."""
    sessions: dict[str, list[Example]] = {}
    for example in ordered:
        sessions.setdefault(example.session, []).append(example)
    return list(sessions.values())


def _cuts(sizes: Sequence[int], shares: Shares) -> tuple[int, int]:
    """Numbers of sessions before the calibration and before the held-out part."""
    ends = list(accumulate(sizes))
    total = ends[-1] if ends else 0
    first = sum(end <= total * shares.training for end in ends)
    first = max(first, min(1, len(sizes)))
    second = sum(end <= total * (shares.training + shares.calibration) for end in ends)
    return first, max(first, second)


def _beginning(sessions: Sequence[Sequence[Example]], index: int) -> int | None:
    return sessions[index][0].started if index < len(sessions) else None


def _before(part: Iterable[Sequence[Example]], end: int | None) -> list[Example]:
    kept = [example for session in part for example in session if end is None or example.started <= end]
    return sorted(kept, key=lambda example: (example.started, example.call_id))
