"""Shift: live traffic holds calls of kinds that no log held, and a threshold has to keep its word among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from router.gate.selective import GRID

UNSEEN_SHARE: Final = 0.2
"""Share of live calls of kinds never seen that thresholds are chosen for, unless told otherwise."""


def mixed(
    pairs: Sequence[tuple[float, bool]], unseen: Sequence[float], share: float = UNSEEN_SHARE
) -> list[tuple[float, bool]]:
    """(confidence, agreed) pairs of held-out calls, with calls of kinds never seen among them at a given share.

    `unseen` are the understudy's confidences in such calls, which it answers wrong whatever it says; they are taken
    evenly, from low to high and as often as needed. A threshold selected on the result keeps its promise while the
    real share of such calls is at most this one and the understudy is no surer of them. Without `unseen` the pairs
    stay as they are. Raises ValueError unless 0 <= share < 1."""
    if not 0 <= share < 1:
        raise ValueError(f"share is {share!r}; it must be at least 0 and below 1")
    if not unseen:
        return list(pairs)
    ordered = sorted(unseen)
    count = round(len(pairs) * share / (1 - share))
    added = [(ordered[(2 * step + 1) * len(ordered) // (2 * count)], False) for step in range(count)]
    return [*pairs, *added]


def floor(
    pairs: Sequence[tuple[float, bool]], unseen: Sequence[float], target: float, share: float = UNSEEN_SHARE
) -> float:
    """The lowest threshold of the grid that keeps the target with calls of unseen kinds among the held-out ones.

    As far as these calls show: it stands beneath a threshold that is certified on live pairs afterwards. 0 where nothing
    is known of unseen kinds, or where no threshold keeps the target among them."""
    if not unseen:
        return 0.0
    both = mixed(pairs, unseen, share)
    for threshold in sorted(GRID):
        answered = [agreed for sure, agreed in both if sure >= threshold]
        if answered and sum(answered) >= target * len(answered):
            return threshold
    return 0.0
