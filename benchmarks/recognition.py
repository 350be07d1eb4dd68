"""Are calls recognised, and at what cost: `python -m benchmarks.recognition [--seed N] [--seeds N] [--data FOLDER]`.

Recorded calls are clustered without their labels, beside simple baselines; then call types are left out of training to
see whether their calls go upstream; then decisions are timed. Exits with 1 when a figure is missed. It takes about five
minutes on one core.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.recognition_baselines import (
    Assign,
    Centroids,
    Fit,
    KMeans,
    Recognise,
    by_hash,
    fit_hash,
    instructions,
    last_user,
)
from benchmarks.recognition_cost import costs
from benchmarks.recordings import NAMES, Recorded, examples, folder, recorded, types
from benchmarks.requirement import Requirement
from benchmarks.table import table
from conversion.cluster.cluster import cluster, members_of
from conversion.cluster.observation import query_of
from conversion.example import Example
from router.encoder import Encoder
from router.encoders.hashed_ngrams import HashedNgrams

LEFT_OUT: Final = 0.2
"""Share of the call types that training never sees."""

HELD_OUT: Final = 0.2
"""Share of the sessions that training never sees."""

Part = tuple[str, list[Requirement]]
Sets = Mapping[str, Sequence[Recorded]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recognition", description="Are calls recognised, and at what cost."
    )
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--seeds", type=int, default=10, help="how often types are left out")
    parser.add_argument("--data", type=Path, default=folder(), help="folder of the recorded calls")
    given = parser.parse_args(arguments)
    sets = _sets(given.data)
    if not sets:
        print(
            f"no recorded calls in {given.data}: set UNDERSTUDY_DATA to the folder that holds {NAMES[0]}.jsonl.xz"
        )
        return 1
    encoder = HashedNgrams(1024)
    parts = [
        _agreeing(sets, encoder, given.seed),
        _leaving_out(sets, encoder, given.seed, given.seeds),
        _costing(sets, given.seed),
    ]
    requirements = [each for _, needed in parts for each in needed]
    print(f"seed {given.seed}, encoder {encoder.name}\n")
    print(*(shown for shown, _ in parts), sep="\n\n", end="\n\n")
    print(table(["required", "bound", "measured", "verdict"], [each.row() for each in requirements]))
    return 0 if all(each.met for each in requirements) else 1


def _sets(at: Path) -> dict[str, Sequence[Recorded]]:
    """The data sets that are there, and all of them together."""
    found: dict[str, Sequence[Recorded]] = {
        name: recorded(name, at) for name in NAMES if (at / f"{name}.jsonl.xz").exists()
    }
    if len(found) > 1:
        found["together"] = [call for calls in found.values() for call in calls]
    return found


def _agreeing(sets: Sets, encoder: Encoder, seed: int) -> Part:
    """V-measure of clusters against call types, no label seen."""
    ways: dict[str, Assign] = {
        "exact system prompt": by_hash,
        "k-means, true k, prompt": KMeans(encoder, instructions, seed),
        "k-means, true k, last message": KMeans(encoder, last_user, seed),
        "understudy": lambda given, _: _assigned(given, encoder, seed),
    }
    rows, needed = [], []
    for name, calls in sets.items():
        true = types(calls)
        for way, assign in ways.items():
            found = assign(examples(calls), len(set(true)))
            homogeneity, completeness, v = v_measure(true, found)
            rows.append(
                [name, way, f"{len(set(found))}", f"{homogeneity:.3f}", f"{completeness:.3f}", f"{v:.3f}"]
            )
        needed.append(Requirement(f"V-measure, {name}", v, 0.90))
    header = ["calls", "clusters by", "clusters", "homogeneity", "completeness", "V-measure"]
    return table(header, rows), needed


def _assigned(given: Sequence[Example], encoder: Encoder, seed: int) -> list[str]:
    assignment = cluster(given, encoder=encoder, seed=seed).assignment
    return [assignment[example.call_id] for example in given]


def v_measure(true: Sequence[str], found: Sequence[str]) -> tuple[float, float, float]:
    """Homogeneity, completeness and their harmonic mean (Rosenberg and Hirschberg, EMNLP 2007)."""
    types_, clusters, both = _entropy(true), _entropy(found), _entropy(list(zip(true, found, strict=True)))
    homogeneity = 1 - (both - clusters) / types_ if types_ else 1.0
    completeness = 1 - (both - types_) / clusters if clusters else 1.0
    total = homogeneity + completeness
    return homogeneity, completeness, 2 * homogeneity * completeness / total if total else 0.0


def _entropy(values: Sequence[object]) -> float:
    shares = np.array(list(Counter(values).values())) / len(values)
    return float(-(shares * np.log(shares)).sum())


@dataclass(frozen=True, slots=True)
class _Trial:
    """One draw of types left out and sessions held out."""

    training: Sequence[Recorded]
    unseen: Sequence[Recorded]
    known: Sequence[Recorded]


def _leaving_out(sets: Sets, encoder: Encoder, seed: int, seeds: int) -> Part:
    """What becomes of calls whose type was never seen, and of new calls whose type was."""
    fits: dict[str, Fit] = {
        "exact system prompt": fit_hash,
        "nearest type, prompt": Centroids(encoder, instructions),
        "nearest type, last message": Centroids(encoder, last_user),
        "understudy": lambda given, true: _fit(given, true, encoder, seed),
    }
    rows, needed = [], []
    for name, calls in sets.items():
        trials = list(_trials(calls, seed, seeds))
        for way, fit in fits.items():
            upstream, known, worst = _left_out(trials, fit)
            rows.append([name, way, f"{upstream:.2%}", f"{known:.2%}", f"{worst[0]:.2%}", f"{worst[1]:.2%}"])
        needed += [
            Requirement(f"unseen types upstream, {name}", 100 * upstream, 99, unit="%"),
            Requirement(f"known types recognised, {name}", 100 * known, 95, unit="%"),
        ]
    header = ["calls", "recognised by", "unseen upstream", "known recognised", "worst draw", "worst draw"]
    return table(header, rows), needed


def _trials(calls: Sequence[Recorded], seed: int, seeds: int) -> Iterator[_Trial]:
    names = sorted(set(types(calls)))
    sessions = sorted({call.example.session for call in calls})
    for number in range(seeds):
        random = np.random.default_rng([seed, number])
        out = _drawn(random, names, LEFT_OUT)
        held = _drawn(random, sessions, HELD_OUT)
        training = [call for call in calls if call.type not in out and call.example.session not in held]
        seen = {call.type for call in training}
        yield _Trial(
            training,
            unseen=[call for call in calls if call.type in out],
            known=[call for call in calls if call.type in seen and call.example.session in held],
        )


def _drawn(random: np.random.Generator, names: Sequence[str], share: float) -> Collection[str]:
    return set(random.choice(names, max(1, round(share * len(names))), replace=False).tolist())


def _left_out(trials: Sequence[_Trial], fit: Fit) -> tuple[float, float, tuple[float, float]]:
    """Shares over all draws of unseen calls that go upstream and of known ones recognised as what they are, and the
    lowest of each among the draws."""
    counts = []
    for trial in trials:
        recognise = fit(examples(trial.training), types(trial.training))
        upstream = sum(recognise(call.example) is None for call in trial.unseen)
        right = sum(recognise(call.example) == call.type for call in trial.known)
        counts.append((upstream, len(trial.unseen), right, len(trial.known)))
    total = np.array(counts, np.float64)
    upstream_, unseen, right_, known = total.sum(axis=0)
    worst = float((total[:, 0] / total[:, 1]).min()), float((total[:, 2] / total[:, 3]).min())
    return float(upstream_ / unseen), float(right_ / known), worst


def _fit(given: Sequence[Example], true: Sequence[str], encoder: Encoder, seed: int) -> Recognise:
    """Ours, which sees no label; each task stands for the type that most of its training calls have."""
    recogniser = cluster(given, encoder=encoder, seed=seed).recogniser
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for task, each in zip(members_of(recogniser, given).values(), true, strict=True):
        found[task][each] += 1
    meaning = {task: counts.most_common(1)[0][0] for task, counts in found.items() if task}

    def recognise(example: Example) -> str | None:
        recognised = recogniser.recognise(query_of(example))
        return None if recognised is None else meaning.get(recognised.task, "a task without training calls")

    return recognise


def _costing(sets: Sets, seed: int) -> Part:
    """Processor time of decisions."""
    measured = costs(examples(list(sets.values())[-1]), seed)
    known = [cost for cost in measured if cost.how == "fingerprint" and cost.what != "recorded calls"]
    others = [cost for cost in measured if cost.how != "fingerprint"]
    rows = [cost.row() for cost in measured]
    return table(["decision", "mostly by", "p50 us", "p99 us"], rows), [
        Requirement(
            "p99, known fingerprint of 30 KB", max(each.p99 for each in known) / 1000, 0.1, "at most", " ms"
        ),
        Requirement("p99, recorded calls", measured[0].p99 / 1000, 0.1, "at most", " ms"),
        Requirement(
            "p99, encoder asked or unknown", max(each.p99 for each in others) / 1000, 1.5, "at most", " ms"
        ),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
