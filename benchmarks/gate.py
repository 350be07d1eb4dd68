"""Does the gate keep its word: `python -m benchmarks.gate [--seed N]`.

Simulates tasks pair by pair, with the gate looked at after every pair, prints how often it is wrong and how soon it is
right beside simple baselines, and exits with 1 when a figure is missed. It takes about a minute on one core.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.requirement import Requirement
from benchmarks.table import table
from router.gate.certification import Certification
from router.gate.clopper_pearson import lower_bound
from router.gate.fall import FallDetector
from router.gate.policy import Policy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TASKS: Final = 2_000
PAIRS: Final = 20_000
GOOD: Final = 0.98
BAD: Final = 0.90
SURE: Final = 0.40
BARELY_SURE: Final = 0.15
BEFORE_FALL: Final = 1_000
_NEVER: Final = PAIRS + 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate", description="Does the gate keep its word."
    )
    parser.add_argument("--seed", type=int, default=20261122)
    seed: int = parser.parse_args(arguments).seed
    random, policy = np.random.default_rng(seed), Policy()
    certifying, needed = _certifying(random, policy)
    falling, more = _falling(random, policy)
    covering, most = _covering(random, policy)
    requirements = [*needed, *more, *most]
    print(f"seed {seed}, {TASKS:,} tasks of {PAIRS:,} pairs, target {policy.target:g}\n")
    print(certifying, falling, covering, sep="\n\n", end="\n\n")
    print(table(["required", "bound", "measured", "verdict"], [each.row() for each in requirements]))
    return 0 if all(each.met for each in requirements) else 1


def _certifying(random: np.random.Generator, policy: Policy) -> tuple[str, list[Requirement]]:
    """How often and how soon each test certifies, at the target and above it."""
    alpha, target = 1 - policy.confidence, policy.target
    # e-process: the gate's own code fixes, for each number of pairs, how many may disagree
    gates = {
        "e-process (ours)": _frontier(
            lambda pairs, bad: Certification(target, pairs - bad, bad).log_e >= -math.log(policy.test_alpha),
            policy.shadow_pairs,
        ),
        "fixed-n exact test, looked at after every pair": _frontier(
            lambda pairs, bad: lower_bound(pairs - bad, pairs, alpha) > target, policy.shadow_pairs
        ),
        "fixed-n exact test, looked at once, at 600": _once(600, alpha, target),
        "Hoeffding confidence sequence": _frontier(
            lambda pairs, bad: 1 - bad / pairs - _hoeffding(pairs, alpha) > target, policy.shadow_pairs
        ),
    }
    at_target, above = _disagreements(random, target), _disagreements(random, GOOD)
    rows: list[list[str]] = []
    ours = 1.0, float(_NEVER)
    for name, frontier in gates.items():
        wrong = float(np.mean(_first(at_target, frontier) < _NEVER))
        right = _first(above, frontier)
        late = float(np.quantile(right, 0.9))
        if not rows:
            ours = wrong, late
        rows.append([name, f"{wrong:.1%}", _shown(np.median(right)), _shown(late)])
    rows[0][0] += f", level {policy.test_alpha:g}"
    header = ["certifies", "falsely at 0.95", f"pairs at {GOOD}, median", "90th percentile"]
    return table(header, rows), [
        Requirement("false certification at the target", 100 * ours[0], 5, "at most", "%"),
        Requirement(f"pairs to certify {GOOD}, 90th percentile", ours[1], 600, "at most"),
    ]


def _falling(random: np.random.Generator, policy: Policy) -> tuple[str, list[Requirement]]:
    """How soon each detector notices a fall after a long good run, and how often it cries wolf."""
    length, restart = policy.audit_run_length, 1 / (1 - policy.confidence)
    # a frequency in a window, and one e-process from the first pair on, are what one would write first
    detectors: dict[str, Callable[[Bools], Ints]] = {
        f"e-detector (ours), run length {length:,.0f}": lambda pairs: _detect(pairs, policy.target, length),
        "one e-process from the first pair on": lambda pairs: _detect(
            pairs, policy.target, restart, restarted=False
        ),
        "last 200 pairs agree below the target": lambda pairs: _window(pairs, policy.target),
    }
    steady = _disagreements(random, GOOD)
    fallen = _changed(steady, _disagreements(random, BAD))
    rows, false, median = _noticing(detectors, steady, fallen)
    header = ["demotes", f"falsely at {GOOD}", f"pairs after a fall to {BAD}, median", "90th percentile"]
    return table(header, rows), [
        Requirement(f"pairs to catch a fall from {GOOD} to {BAD}, median", median, 300, "at most"),
        Requirement(f"false demotions of a steady {GOOD}", 100 * false, 1, "at most", "%"),
    ]


def _covering(random: np.random.Generator, policy: Policy) -> tuple[str, list[Requirement]]:
    """The same for one that is sure of few of its calls, and for one that is never sure any more."""
    least, length = policy.least_coverage, policy.health_run_length
    detectors: dict[str, Callable[[Bools], Ints]] = {
        f"e-detector (ours), run length {length:,.0f}": lambda calls: _detect(calls, least, length),
        "sure of too few of the last 200 calls": lambda calls: _window(calls, least),
    }
    steady = _disagreements(random, BARELY_SURE)
    silent = _changed(_disagreements(random, SURE), np.ones_like(steady))
    rows, false, median = _noticing(detectors, steady, silent)
    header = [
        "demotes",
        f"falsely, sure of {BARELY_SURE:.0%}",
        "calls after it is never sure, median",
        "90th percentile",
    ]
    return table(header, rows), [
        Requirement(
            f"calls to notice one that was sure of {SURE:.0%} and never is, median", median, 300, "at most"
        ),
        Requirement(
            f"false demotions of one that is sure of {BARELY_SURE:.0%}", 100 * false, 1, "at most", "%"
        ),
    ]


def _noticing(
    detectors: Mapping[str, Callable[[Bools], Ints]], steady: Bools, changed: Bools
) -> tuple[list[list[str]], float, float]:
    """A row for each detector: how often it alarms while nothing changes, and how late when something does; with the
    first detector's share of false alarms and median delay."""
    rows: list[list[str]] = []
    figures: list[tuple[float, float]] = []
    for name, detect in detectors.items():
        alarms, caught = detect(steady), detect(changed)
        false = float(np.mean(alarms < _NEVER))
        delays = caught[caught > BEFORE_FALL] - BEFORE_FALL
        median, late = float(np.median(delays)), float(np.quantile(delays, 0.9))
        figures.append((false, median))
        rows.append([name, f"{false:.2%}", _shown(median), _shown(late)])
    return rows, *figures[0]


def _changed(before: Bools, after: Bools) -> Bools:
    return np.concatenate([before[:, :BEFORE_FALL], after[:, : PAIRS - BEFORE_FALL]], axis=1)


def _disagreements(random: np.random.Generator, agreement: float) -> Bools:
    """Whether each pair of each task disagrees."""
    return random.random((TASKS, PAIRS), dtype=np.float32) >= agreement


def _frontier(passes: Callable[[int, int], bool], minimum: int) -> Ints:
    """For each number of pairs the most disagreements with which a test passes; -1 where none does.

    One more pair never allows fewer of them, so the frontier is followed instead of searched."""
    frontier, bad = np.full(PAIRS, -1), -1
    for pairs in range(minimum, PAIRS + 1):
        while bad < pairs and passes(pairs, bad + 1):
            bad += 1
        frontier[pairs - 1] = bad
    return frontier


def _once(pairs: int, alpha: float, target: float) -> Ints:
    frontier = np.full(PAIRS, -1)
    frontier[pairs - 1] = max(
        (bad for bad in range(pairs) if lower_bound(pairs - bad, pairs, alpha) > target), default=-1
    )
    return frontier


def _hoeffding(pairs: int, alpha: float) -> float:
    """Half width at all times at once: Hoeffding at level alpha / (n (n + 1)), whose sum over n is alpha."""
    return math.sqrt(math.log(pairs * (pairs + 1) / alpha) / (2 * pairs))


def _first(disagreed: Bools, frontier: Ints) -> Ints:
    """The pair at which each task is first on the passing side; _NEVER where it never is."""
    passing = np.cumsum(disagreed, axis=1, dtype=np.int32) <= frontier
    return np.where(passing.any(axis=1), passing.argmax(axis=1) + 1, _NEVER)


def _detect(disagreed: Bools, target: float, level: float, *, restarted: bool = True) -> Ints:
    """All tasks through the detector's recursion at once; its factors are read off the detector itself."""
    start = FallDetector(target)
    good, bad = (np.array(start.after(each).sums) for each in (True, False))  # R_1 = L_1
    weights = _weights(target)
    sums = np.zeros((TASKS, len(good))) if restarted else np.ones((TASKS, len(good)))
    alarms = np.full(TASKS, _NEVER)
    for pair in range(PAIRS):
        sums = (sums + restarted) * np.where(disagreed[:, pair, None], bad, good)
        np.minimum(sums, 1e300, out=sums)
        alarms[(alarms == _NEVER) & (sums @ weights >= level)] = pair + 1
        if (alarms < _NEVER).all():
            break
    return alarms


def _weights(target: float) -> Floats:
    """How much the detector bets on each alternative."""
    blank: dict[str, Any] = FallDetector(target).after(True).to_dict()
    count = len(blank["sums"])
    units = np.eye(count).tolist()
    return np.array([FallDetector.from_dict({**blank, "sums": unit}).evidence for unit in units])


def _window(disagreed: Bools, target: float, width: int = 200) -> Ints:
    """The pair at which the last `width` first disagree more often than the target allows."""
    counts = np.cumsum(disagreed, axis=1, dtype=np.int32)
    recent = counts[:, width:] - counts[:, :-width]
    over = recent > width * (1 - target)
    return np.where(over.any(axis=1), over.argmax(axis=1) + width + 1, _NEVER)


def _shown(pairs: float) -> str:
    return "never" if pairs >= _NEVER - BEFORE_FALL else f"{pairs:,.0f}"


if __name__ == "__main__":
    raise SystemExit(main())
