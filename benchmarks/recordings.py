"""Recorded calls whose type is known, beside the project or in the folder that UNDERSTUDY_DATA names."""

from __future__ import annotations

import json
import lzma
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conversion.example import Example
from wire.answer import answer_of
from wire.tolerant import mapping, text

NAMES: Final = ("crewai_http", "tau1_airline_gpt4o")
"""Data sets of the required figures."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded call."""

    example: Example
    type: str
    """Which prompt or agent made it."""


def folder() -> Path:
    """Where recorded calls lie."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("UNDERSTUDY_DATA") or beside)


def recorded(name: str, at: Path) -> list[Recorded]:
    """The calls of one data set, in order; raises FileNotFoundError."""
    with lzma.open(at / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
        return [_recorded(f"{name}-{number}", number, json.loads(line)) for number, line in enumerate(lines)]


def types(calls: Sequence[Recorded]) -> list[str]:
    """The type of each call."""
    return [call.type for call in calls]


def examples(calls: Sequence[Recorded]) -> list[Example]:
    """The calls as the conversion reads them."""
    return [call.example for call in calls]


def _recorded(call: str, number: int, row: dict[str, Any]) -> Recorded:
    finish = text(mapping(row.get("meta")).get("finish_reason")) or "stop"
    answer = answer_of(
        "chat.completions", {"choices": [{"message": row["response"], "finish_reason": finish}]}
    )
    example = Example(
        call_id=call,
        session=row["group"],
        started=number * 1_000_000,
        endpoint="chat.completions",
        request=row["request"],
        answer=answer,
    )
    return Recorded(example, row["call_type"])
