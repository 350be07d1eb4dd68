"""Ids that stay, and what counts as split or merged."""

from __future__ import annotations

from conversion.cluster.clustering import KnownTask
from conversion.cluster.stability import changes, matched


def calls(start: int, stop: int) -> frozenset[str]:
    return frozenset(f"c{number}" for number in range(start, stop))


def test_the_matching_keeps_most_calls_in_place() -> None:
    previous = [KnownTask("a", calls(0, 10)), KnownTask("b", calls(10, 20))]
    assert matched([calls(9, 20), calls(0, 9), calls(30, 40)], previous) == {0: "b", 1: "a"}


def test_a_greedy_match_would_lose() -> None:
    previous = [KnownTask("a", calls(0, 10)), KnownTask("b", calls(10, 14))]
    now = [calls(0, 6) | calls(10, 14), calls(6, 10)]
    assert matched(now, previous) == {0: "b", 1: "a"} or matched(now, previous) == {0: "a"}


def test_nothing_in_common() -> None:
    assert matched([calls(0, 3)], [KnownTask("a", calls(5, 9))]) == {}
    assert matched([], [KnownTask("a", calls(5, 9))]) == {}
    assert matched([calls(0, 3)], []) == {}


def test_split() -> None:
    previous = [KnownTask("a", calls(0, 10))]
    assert changes({"a": calls(0, 6), "n": calls(6, 10)}, previous) == {"a": "split", "n": "split"}


def test_merged() -> None:
    previous = [KnownTask("a", calls(0, 10)), KnownTask("b", calls(10, 20))]
    assert changes({"a": calls(0, 20)}, previous) == {"a": "merged"}


def test_a_few_calls_that_move_change_nothing() -> None:
    previous = [KnownTask("a", calls(0, 10)), KnownTask("b", calls(10, 20))]
    assert changes({"a": calls(0, 11), "b": calls(11, 20), "new": calls(50, 60)}, previous) == {}
