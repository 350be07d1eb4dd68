"""Sub-tasks of a broad prompt: found where the model's actions differ and the human's text tells which is due."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conversion.cluster.answers import is_choice, kind_of
from conversion.cluster.groups import Group
from router.encoder import Encoder, Vectors
from router.gate.scorers.json_values import parse
from router.skeleton import sentences
from router.subtasks import Subtasks, human_text, prototypes
from wire.answer import Answer

LEAST: Final = 20
"""Calls that a sub-task must have."""

SESSIONS: Final = 5
"""Sessions that a sub-task must have: one conversation is no recurring job."""

ALPHA: Final = 0.05
"""Share of a sub-task's own texts that the rejection may send upstream."""

_ONE_PROMPT: Final = 0.8
"""Share of a group's calls that must have one and the same prompt for it to count as broad."""

_COVERED: Final = 0.9
"""Share of the prompt's calls that its sub-tasks must have together."""

_RIGHT: Final = 0.98
_ACCEPTED: Final = 0.8
"""What a trial on held-out sessions must reach for a prompt to be split: accepted texts told apart rightly, and the
share of texts accepted."""

_ROUNDING: Final = 1e-5
"""By how much the likeness of the very same text may differ between processors, and between one text and many at once."""

_FOLDS: Final = 4
_MODES: Final = 8
"""Prototypes of a sub-task at most."""

_ROUNDS: Final = 10
_CHOICE: Final = "choice"
Integers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Split:
    """A broad prompt's sub-tasks."""

    parts: tuple[Group, ...]
    classes: tuple[int, ...]
    """Part of each prototype."""
    prototypes: Vectors
    thresholds: NDArray[np.float32]

    def subtasks(self, ids: Sequence[str]) -> Subtasks:
        """The classifier, once the parts have ids."""
        return Subtasks(tuple(ids[part] for part in self.classes), self.prototypes, self.thresholds)


def split(group: Group, encoder: Encoder, random: np.random.Generator) -> Split | None:
    """Sub-tasks of a group; None where its calls are one task, or cannot be told apart before they are answered."""
    parts = _parts(group) if _is_broad(group) else []
    if len(parts) < 2 or sum(map(len, parts)) < _COVERED * len(group.members):
        return None
    places = [place for part in parts for place in part]
    classes = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    examples = [group.members[place].example for place in places]
    vectors = encoder.encode([human_text(example.endpoint, example.request) for example in examples])
    folds = _folds([example.session for example in examples], random)
    if not _told_apart(vectors, classes, folds, random):
        return None
    model = _fitted(vectors, classes, folds == 0, random)
    return Split(
        tuple(replace(group, members=tuple(group.members[place] for place in part)) for part in parts), *model
    )


def _is_broad(group: Group) -> bool:
    """Whether the calls share one prompt, which is not itself made of what the user says."""
    prompts = Counter(
        (fingerprint.broad if group.broad else fingerprint.prompt) or fingerprint.prompt
        for fingerprint in (member.fingerprint for member in group.members)
        if group.broad or fingerprint.broad is None
    )
    return bool(prompts) and max(prompts.values()) >= _ONE_PROMPT * len(group.members)


def _parts(group: Group) -> list[list[int]]:
    """Places of the calls of each action that is frequent enough, the most frequent first."""
    by_action: defaultdict[str, list[int]] = defaultdict(list)
    templates = _templates(group)
    for place, member in enumerate(group.members):
        action = _action(member.example.answer)
        # what is chosen may well follow from the wording: labels of one classifier are one task
        by_action[action if action == _CHOICE else f"{action} {templates[place]}"].append(place)
    parts = [part for part in by_action.values() if len(part) >= LEAST and _sessions(group, part) >= SESSIONS]
    return sorted(parts, key=len, reverse=True)


def _sessions(group: Group, part: Sequence[int]) -> int:
    return len({group.members[place].example.session for place in part})


def _action(answer: Answer) -> str:
    """What an answer does: which tool it calls, which fields it fills, whether it chooses or writes."""
    closed = is_choice(answer)
    if answer.tool_calls:
        return _CHOICE if closed else "tool " + " ".join(sorted({call.name for call in answer.tool_calls}))
    if kind_of(answer) == "json":
        value = parse(answer.text)
        return "json " + " ".join(sorted(value)) if isinstance(value, dict) else "json"
    return _CHOICE if closed else "text"


def _templates(group: Group) -> list[str]:
    """The opening of each call's human text, where a few openings make up nearly all of them; else nothing."""
    openings = []
    for member in group.members:
        said = human_text(member.example.endpoint, member.example.request)
        openings.append(next(sentences(said), ""))
    counts = Counter(openings)
    frequent = {opening for opening, count in counts.items() if opening and count >= LEAST}
    if sum(counts[opening] for opening in frequent) < _COVERED * len(openings):
        return [""] * len(openings)
    return openings


def _folds(sessions: Sequence[str], random: np.random.Generator) -> Integers:
    """A fold for each call, one for all calls of a session."""
    names = sorted(set(sessions))
    fold = dict(zip(names, random.permutation(len(names)) % _FOLDS, strict=True))
    return np.array([fold[session] for session in sessions])


def _told_apart(vectors: Vectors, classes: Integers, folds: Integers, random: np.random.Generator) -> bool:
    """A trial on sessions that were neither fitted nor calibrated on."""
    right = accepted = seen = 0
    for fold in range(_FOLDS):
        held_out = folds == fold
        calibration = folds[~held_out] == (fold + 1) % _FOLDS
        if held_out.all() or calibration.all() or not (held_out.any() and calibration.any()):
            return False
        model = _fitted(vectors[~held_out], classes[~held_out], calibration, random)
        subtasks = Subtasks(tuple(map(str, model[0])), model[1], model[2])
        for vector, expected in zip(vectors[held_out], classes[held_out], strict=True):
            found = subtasks.classify(vector)
            seen += 1
            accepted += found is not None
            right += found is not None and found[0] == str(expected)
    return accepted >= _ACCEPTED * seen and right >= _RIGHT * accepted


def _fitted(
    vectors: Vectors, classes: Integers, calibration: NDArray[np.bool_], random: np.random.Generator
) -> tuple[tuple[int, ...], Vectors, NDArray[np.float32]]:
    """Prototypes of each class from the texts that are not for calibration, thresholds from those that are."""
    owners: list[int] = []
    found, least = [], []
    for each in range(int(classes.max()) + 1):
        fitting, held = vectors[(classes == each) & ~calibration], vectors[(classes == each) & calibration]
        modes = _modes(fitting if len(fitting) else held, random)
        owners += [each] * len(modes)
        found.append(modes)
        least += [_threshold(held if len(held) else fitting, modes)] * len(modes)
    return tuple(owners), np.concatenate(found), np.array(least, np.float32)


def _threshold(vectors: Vectors, modes: Vectors) -> float:
    """The likeness that all but the share ALPHA of a class's texts reach; the least seen where they are too few to
    tell, which sends more upstream than was asked for."""
    likeness = np.sort((vectors @ modes.T).max(axis=1))
    rank = int(np.floor(ALPHA * (len(likeness) + 1))) - 1
    return float(likeness[max(rank, 0)]) - _ROUNDING


def _modes(vectors: Vectors, random: np.random.Generator) -> Vectors:
    """Mean directions of a class's texts: spherical k-means (Dhillon and Modha, 2001)."""
    count = min(_MODES, max(1, len(vectors) // LEAST))
    nearest = random.integers(0, count, len(vectors))
    modes = prototypes(vectors, nearest.tolist(), count)
    for _ in range(_ROUNDS if count > 1 else 0):
        nearest = (vectors @ modes.T).argmax(axis=1)
        modes = prototypes(vectors, nearest.tolist(), count)
    return modes[np.unique(nearest)]
