"""How much can be replaced when traffic shifts: `python -m benchmarks.replacement`.

CLINC150 as the traffic of one agent's prompt: the head learns from `train`, its threshold is set on one half of `val`
and certified on the other, and the calls of `test` are streamed live with audit on. Of `val` 3% are out of scope, of
`test` 18%. Several halves and orders, fixed; one table with every rung of the encoders' ladder beside a plain head.
Vectors of sentence embeddings are kept in `.bench`, since they take longest. Exits with 1 when a figure is missed.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from benchmarks.requirement import Requirement
from benchmarks.table import table
from conversion.head_training import Fitted, classifier, trusted
from conversion.regression import Examples
from conversion.student import distil
from conversion.threshold import choose
from router.encoder import Encoder, Vectors
from router.encoders.hashed_ngrams import HashedNgrams
from router.gate.clopper_pearson import Verdict, certify
from router.gate.fall import FallDetector
from router.gate.policy import Policy
from router.gate.shift import floor
from serving.encoders.pair import Pair
from serving.encoders.teacher import Teacher
from serving.heads.model import HeadModel

DATA: Final = Path(os.environ.get("UNDERSTUDY_DATA", "../shared/data")) / "clinc150_raw.jsonl.xz"
KEPT: Final = Path(".bench")
SEED: Final = 20261122
HALVES: Final = 3
ORDERS: Final = ("shuffled", "shuffled again", "out of scope first", "out of scope last")
AUDIT: Final = 0.02
TIMED: Final = 200

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Split:
    """One part of the data set."""

    texts: Sequence[str]
    labels: NDArray[np.int32]
    """Number of the intent, out of scope being one of them: the LLM says `oos` then."""

    def take(self, chosen: NDArray[Any]) -> Split:
        """Some of it, by number."""
        return Split([self.texts[each] for each in chosen], self.labels[chosen])


@dataclass(frozen=True, slots=True)
class Stream:
    """What became of one stream of calls."""

    replaced: float
    """Share of all calls."""
    agreement: float
    """Share of what was replaced."""
    demoted: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One rung of the ladder."""

    name: str
    streams: Sequence[Stream]
    certified: int
    milliseconds: float

    def cells(self) -> list[str]:
        """As a row of the table."""
        replaced = [each.replaced for each in self.streams]
        agreement = [each.agreement for each in self.streams]
        return [
            self.name,
            f"{np.mean(replaced):.1%}",
            f"{min(replaced):.1%}",
            f"{np.mean(agreement):.1%}",
            f"{min(agreement):.1%}",
            f"{self.certified} of {HALVES}",
            str(sum(each.demoted for each in self.streams)),
            f"{self.milliseconds:.2f}",
        ]


class Remembered:
    """An encoder whose vectors of the whole data set are kept in a file."""

    def __init__(self, encoder: Encoder, texts: Sequence[str], folder: Path) -> None:
        self.encoder = encoder
        self.name = encoder.name
        self.dimensions = encoder.dimensions
        digest = hashlib.sha256("\n".join([encoder.name, *texts]).encode()).hexdigest()[:16]
        file = folder / f"vectors-{digest}.npy"
        if file.exists():
            vectors = np.load(file)
        else:
            folder.mkdir(exist_ok=True)
            vectors = encoder.encode(texts)
            np.save(file, vectors)
        self._rows = dict(zip(texts, vectors, strict=True))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """From the file."""
        return np.stack([self._rows[text] for text in texts])


def main() -> int:
    """Measure; returns the exit code."""
    if not DATA.exists():
        print(f"SKIPPED: {DATA} is not there; UNDERSTUDY_DATA names the folder", file=sys.stderr)
        return 1
    splits, answers, outside = read(DATA)
    print(f"{machine()}; seed {SEED}, target {Policy().target:g}, {AUDIT:.0%} audited\n", flush=True)
    rows = []
    for name, encoder in _ladder([text for split in splits.values() for text in split.texts]):
        rows.append(_measure(name, encoder, splits, answers, outside))
        print(f"{name} done", file=sys.stderr, flush=True)
    header = ["head", "replaced", "lowest", "agreement", "lowest", "certified", "demoted", "ms a call"]
    print(table(header, [*[row.cells() for row in rows], *_plain(splits, answers)]), end="\n\n")
    best = rows[-1]
    requirements = [
        Requirement(
            "agreement of what is replaced, lowest",
            min(each.agreement for each in best.streams),
            Policy().target,
        ),
        Requirement("share replaced, lowest", min(each.replaced for each in best.streams), 0.75),
    ]
    print(table(["required", "bound", "measured", "verdict"], [each.row() for each in requirements]))
    return 0 if all(each.met for each in requirements) else 1


def read(path: Path) -> tuple[dict[str, Split], int, int]:
    """The parts of the data set, how many answers there are, and the number of `oos`."""
    with lzma.open(path, "rt") as file:
        lines = [json.loads(line) for line in file]
    names = sorted({line["intent"] for line in lines})
    numbers = {name: number for number, name in enumerate(names)}
    splits = {}
    for part in ("train", "val", "test"):
        chosen = [line for line in lines if line["split"] == part]
        labels = np.array([numbers[line["intent"]] for line in chosen], np.int32)
        splits[part] = Split([line["text"] for line in chosen], labels)
    return splits, len(names), numbers["oos"]


def _ladder(texts: Sequence[str]) -> Iterator[tuple[str, Encoder]]:
    """Every rung, the lowest first."""
    yield "hashed n-grams", HashedNgrams()
    teacher, beside = Teacher.load(), HashedNgrams(2048)
    yield "static student + n-grams", Pair(distil(teacher, lambda _done, _all: None), beside)
    yield "MiniLM + n-grams", Pair(Remembered(teacher, texts, KEPT), beside)


def _measure(name: str, encoder: Encoder, splits: dict[str, Split], answers: int, outside: int) -> Row:
    train, test = _encoded(encoder, splits["train"]), _encoded(encoder, splits["test"])
    plain = classifier(train, answers)
    streams, certified = [], 0
    for half in range(HALVES):
        generator = np.random.default_rng((SEED, half))
        order = generator.permutation(len(splits["val"].texts))
        middle = len(order) // 2
        calibration = _encoded(encoder, splits["val"].take(order[:middle]))
        held_out = _encoded(encoder, splits["val"].take(order[middle:]))
        fitted = trusted(plain, train, calibration)
        threshold = _threshold(fitted, calibration, len(held_out.labels))
        certified += _certified(fitted.model, held_out, threshold).certified
        labels, confidences = fitted.model.assess(test.vectors)
        for kind in ORDERS:
            live = _order(kind, test.labels == outside, generator)
            answered, right = confidences >= threshold, labels == test.labels
            streams.append(_live(answered[live], right[live], generator))
    return Row(name, streams, certified, _milliseconds(encoder, fitted.model, splits["test"].texts))


def _encoded(encoder: Encoder, split: Split) -> Examples:
    return Examples(encoder.encode(split.texts), split.labels)


def _threshold(fitted: Fitted, calibration: Examples, held_out: int) -> float:
    """As the evaluation of candidates sets it (conversion.selection.trials)."""
    policy = Policy()
    labels, confidences = fitted.model.assess(calibration.vectors)
    right = (labels == calibration.labels).tolist()
    pairs = list(zip(confidences.tolist(), right, strict=True))
    promised = choose(pairs, held_out, policy.target, 1 - policy.confidence) or 0.0
    return max(promised, floor(pairs, fitted.unseen, policy.target))


def _certified(model: HeadModel, held_out: Examples, threshold: float) -> Verdict:
    policy = Policy()
    labels, confidences = model.assess(held_out.vectors)
    answered = confidences >= threshold
    agreed = int((labels == held_out.labels)[answered].sum())
    return certify(agreed, int(answered.sum()), policy.target, policy.confidence)


def _order(kind: str, outside: Bools, generator: np.random.Generator) -> NDArray[np.int64]:
    shuffled = generator.permutation(len(outside))
    if kind.startswith("shuffled"):
        return shuffled
    first = outside[shuffled] if kind.endswith("first") else ~outside[shuffled]
    return np.concatenate((shuffled[first], shuffled[~first]))


def _live(answered: Bools, right: Bools, generator: np.random.Generator) -> Stream:
    """Calls in order; what is audited feeds the detector that demotes."""
    policy = Policy()
    watch = FallDetector(policy.target)
    replaced = agreed = 0
    demoted = False
    for answers, agrees in zip(answered.tolist(), right.tolist(), strict=True):
        if not answers or demoted:
            continue
        replaced, agreed = replaced + 1, agreed + agrees
        if generator.random() < AUDIT:
            watch = watch.after(agrees)
            demoted = watch.fallen(policy.audit_run_length)
    return Stream(replaced / len(answered), agreed / max(replaced, 1), demoted)


def _milliseconds(encoder: Encoder, model: HeadModel, texts: Sequence[str]) -> float:
    """The median time of a call in process, encoding included."""
    real = _unremembered(encoder)
    taken = []
    for text in texts[:TIMED]:
        began = time.perf_counter()
        model.assess(real.encode([text]))
        taken.append(time.perf_counter() - began)
    return float(np.median(taken)) * 1000


def _unremembered(encoder: Encoder) -> Encoder:
    if isinstance(encoder, Pair) and isinstance(encoder.first, Remembered):
        return Pair(encoder.first.encoder, encoder.second)
    return encoder


def _plain(splits: dict[str, Split], answers: int) -> Iterator[list[str]]:
    """The usual way: softmax of one logistic regression, its threshold fitted on all of `val`."""
    texts = [text for split in splits.values() for text in split.texts]
    encoder = Remembered(Teacher.load(), texts, KEPT)
    model = classifier(_encoded(encoder, splits["train"]), answers)
    val, test = (_softmax(model, _encoded(encoder, splits[part])) for part in ("val", "test"))
    target = Policy().target
    for wanted in (target, 0.97, 0.98):
        threshold = _lowest(*val, wanted)
        answered = test[0] >= threshold
        share, agreement = answered.mean(), test[1][answered].mean()
        name = f"plain MiniLM head, threshold for {wanted:g} on val"
        yield [name, f"{share:.1%}", "", f"{agreement:.1%}", "", "", "", ""]


def _softmax(model: HeadModel, examples: Examples) -> tuple[NDArray[np.float64], Bools]:
    reading = model.read(examples.vectors)
    odds = reading.features[:, 0].astype(np.float64)
    return 1 / (1 + np.exp(-odds)), reading.labels == examples.labels


def _lowest(confidences: NDArray[np.float64], right: Bools, wanted: float) -> float:
    order = np.argsort(-confidences)
    reached = np.flatnonzero(np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= wanted)
    return float(confidences[order][reached[-1]]) if len(reached) else 1.0


if __name__ == "__main__":
    raise SystemExit(main())
