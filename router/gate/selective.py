"""Selective answering: the confidence below which an understudy hands the call to the LLM."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from router.gate.checks import check_open_share
from router.gate.clopper_pearson import lower_bound

GRID: Final = (
    *(round(0.05 * step, 2) for step in range(18)),
    *(0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999),
)
"""Thresholds that are tried unless others are given: finer where confident models live."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What an understudy may answer by itself."""

    threshold: float | None
    """It answers when its confidence is at least this; None when no threshold keeps the promise."""
    coverage: float
    """Share of the held-out calls that it answers so."""
    answered: int
    agreed: int
    """How many of the answered ones agree with the LLM."""
    lower: float
    """Lower bound of the agreement of what it answers, at the level at which the threshold was tested."""
    target: float
    confidence: float

    @property
    def sentence(self) -> str:
        """For people: what was chosen and why."""
        if self.threshold is None:
            return f"no threshold reaches {self.target:g} with confidence {self.confidence:g}"
        return (
            f"answers from confidence {self.threshold:g} up: {self.coverage:.1%} of calls, {self.agreed} of "
            f"{self.answered} agree, at least {self.lower:.4f}"
        )


def select(
    pairs: Sequence[tuple[float, bool]],
    target: float,
    confidence: float,
    grid: Sequence[float] = GRID,
    starts: int = 5,
) -> Selection:
    """The lowest threshold whose answered part agrees with the LLM at least as often as `target`.

    `pairs` are held-out (confidence, agreed), `grid` thresholds fixed without looking at these pairs.

    *Guarantee.* With the stated confidence over the draw of the pairs, P(agree | confidence >= threshold) >= target for
    calls like these. Proof (Learn then Test: Angelopoulos, Bates, Candès, Jordan, Lei, arXiv 2110.01052, multi-start
    fixed-sequence testing): for each threshold of the grid the hypothesis is "the answered part agrees less often than
    the target". Given how many calls it answers, the agreeing ones are binomial, so its Clopper-Pearson bound at level
    a passes a false threshold with probability at most a. The hypotheses are tested from `starts` fixed places of the
    grid, each at level (1 - confidence)/starts, downward until the first that fails: a start lets a false
    threshold pass only when the first false one on its way passes, so with probability at most its level. The sum over
    the starts is 1 - confidence. Every threshold that passed may be used; the lowest covers most. Nothing is assumed of
    the confidences: they need not be calibrated, nor agreement grow with them.

    The guarantee ends where live calls stop being like the held-out ones; the audit watches that."""
    check_open_share("target", target)
    check_open_share("confidence", confidence)
    if starts < 1:
        raise ValueError(f"starts is {starts!r}; at least 1 is needed")
    descending = sorted(set(grid), reverse=True)
    if not descending or any(not 0 <= each <= 1 for each in descending):
        raise ValueError(f"grid is {grid!r}; it must hold thresholds from 0 to 1")
    held_out = _HeldOut(pairs)
    begins = _starts(len(descending), starts)
    alpha = (1 - confidence) / len(begins)
    passed = {index for begin in begins for index in _run(held_out, descending, begin, target, alpha)}
    if not passed:
        return Selection(None, 0.0, 0, 0, 0.0, target, confidence)
    threshold = descending[max(passed)]
    agreed, answered = held_out.at_least(threshold)
    lower = lower_bound(agreed, answered, alpha)
    return Selection(threshold, answered / len(pairs), answered, agreed, lower, target, confidence)


class _HeldOut:
    """Pairs sorted by confidence, so that counts above any threshold cost one search."""

    def __init__(self, pairs: Sequence[tuple[float, bool]]) -> None:
        ordered = sorted(pairs)
        self._confidences = [confidence for confidence, _ in ordered]
        self._agreed_below = [0, *accumulate(agreed for _, agreed in ordered)]

    def at_least(self, threshold: float) -> tuple[int, int]:
        """How many agree and how many there are, among those with this confidence or more."""
        index = bisect_left(self._confidences, threshold)
        return self._agreed_below[-1] - self._agreed_below[index], len(self._confidences) - index


def _starts(length: int, starts: int) -> list[int]:
    """Evenly spread places of the descending grid, the first and the last among them."""
    if starts == 1:
        return [0]
    return sorted({round(step * (length - 1) / (starts - 1)) for step in range(starts)})


def _run(
    held_out: _HeldOut, descending: Sequence[float], begin: int, target: float, alpha: float
) -> Iterator[int]:
    """Indices of the thresholds that pass from one start, until the first that does not."""
    for index in range(begin, len(descending)):
        agreed, answered = held_out.at_least(descending[index])
        if lower_bound(agreed, answered, alpha) < target:
            return
        yield index
