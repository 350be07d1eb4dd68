"""A candidate beside an incumbent: better, and not by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from conversion.candidate import Attempted
from conversion.comparison import Comparison, Side, compare
from conversion.example import Example
from wire.answer import Answer


@dataclass(frozen=True)
class _Knows:
    """Right on calls up to a number, and as sure as it says."""

    up_to: int
    confidence: float = 1.0
    files: Path = Path()
    unseen: Sequence[float] = ()

    def answer(self, examples: Sequence[Example]) -> Sequence[Attempted]:
        return [
            Attempted(Answer("yes" if int(each.call_id) < self.up_to else "no"), self.confidence)
            for each in examples
        ]


def _held_out(count: int, sessions: int = 1_000) -> list[Example]:
    return [
        Example(str(n), str(n % sessions), 1_000 + n, "chat.completions", {}, Answer("yes"))
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("candidate", "incumbent", "better"),
    [(80, 60, True), (60, 80, False), (80, 80, False), (63, 60, False), (66, 60, True)],
)
def test_it_has_to_be_right_where_the_other_is_wrong(candidate: int, incumbent: int, better: bool) -> None:
    found = compare(Side(_Knows(candidate), 0.5), Side(_Knows(incumbent), 0.5), _held_out(100), 0, "label")
    assert found.better is better
    assert (found.calls, found.candidate_only + found.incumbent_only) == (100, abs(candidate - incumbent))


def test_who_is_not_sure_enough_answers_nothing() -> None:
    sure, unsure = Side(_Knows(100), 0.5), Side(_Knows(100, 0.4), 0.5)
    assert compare(sure, unsure, _held_out(100), 0, "label").candidate_only == 100
    assert compare(unsure, sure, _held_out(100), 0, "label").incumbent_only == 100


def test_only_fresh_calls_count_and_one_of_a_session() -> None:
    both = Side(_Knows(100), 0.5)
    assert compare(both, both, _held_out(100), 1_049, "label").calls == 50
    assert compare(both, both, _held_out(100, sessions=7), 0, "label").calls == 7
    assert not compare(both, both, _held_out(100), 5_000, "label").better


def test_the_sign_test() -> None:
    assert Comparison(10, 5, 0, 0.05).p == pytest.approx(1 / 32)
    assert Comparison(10, 4, 0, 0.05).p == pytest.approx(1 / 16)
    assert Comparison(10, 0, 0, 0.05).p == 1.0
    assert "p 0.031): better than the incumbent" in Comparison(10, 5, 0, 0.05).sentence
