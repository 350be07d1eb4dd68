"""Clustering: from examples to tasks and the recogniser that knows them again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

import numpy as np

from conversion.cluster.answers import Profile, profile
from conversion.cluster.clustering import Clustering, KnownTask, Portrait
from conversion.cluster.groups import Group, groups, vocabulary
from conversion.cluster.naming import Namer, sketch, task_id, title
from conversion.cluster.observation import observe, query_of
from conversion.cluster.roles import by_role
from conversion.cluster.splitting import Split, split
from conversion.cluster.stability import changes, matched
from conversion.example import Example
from conversion.task import Task
from router.encoder import Encoder
from router.minhash import MinHash
from router.near import Outline, Vocabulary, outline_of
from router.recogniser import encode
from router.recognition import Recogniser
from router.subtasks import Subtasks
from router.trained import Learned, TrainedRecogniser

LEAST: Final = 2
"""Calls that a task must have where no instructions say what it is."""

_OUTLINES: Final = 200
"""Outlines that a task keeps for near matches, the most frequent ones."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A group as the recogniser will know it, with its sub-tasks where it is broad."""

    group: Group
    split: Split | None

    @property
    def parts(self) -> tuple[Group, ...]:
        return self.split.parts if self.split else (self.group,)


def cluster(
    examples: Sequence[Example],
    *,
    encoder: Encoder,
    previous: Sequence[KnownTask] = (),
    seed: int = 0,
    namer: Namer | None = None,
    least: int = LEAST,
) -> Clustering:
    """Find the tasks of a log, the same for the same examples and seed.

    `previous` are the tasks of last time with their members among these examples; `encoder` has to be one that the
    proxy has too. Raises ExtraMissing where scipy is wanted and absent."""
    random = np.random.default_rng(seed)
    observations = list(observe(examples))
    known = vocabulary(observations)
    prompts = [
        _Prompt(group, split(group, encoder, random)) for group in by_role(groups(observations, known, least))
    ]
    parts = [part for prompt in prompts for part in prompt.parts]
    portraits = _portraits(parts, previous, namer, len(examples))
    ids = [portrait.task.id for portrait in portraits]
    learned = _learned(prompts, ids, known, encoder)
    recogniser = TrainedRecogniser(learned, encoder)
    assignment = members_of(recogniser, examples)
    members = {each: frozenset(_ids(part)) for each, part in zip(ids, parts, strict=True)}
    ranked = sorted(portraits, key=lambda portrait: (-portrait.task.calls, portrait.task.id))
    return Clustering(
        tasks=tuple(portrait.task for portrait in ranked),
        assignment=assignment,
        recogniser=recogniser,
        changes=changes(members, previous) if previous else {},
        portraits=tuple(ranked),
    )


def members_of(recogniser: Recogniser, examples: Sequence[Example]) -> dict[str, str]:
    """The task that a recogniser finds for each call, empty where it finds none, by the call's id."""
    found = {}
    for example in examples:
        recognised = recogniser.recognise(query_of(example))
        found[example.call_id] = recognised.task if recognised else ""
    return found


def known_tasks(recogniser: Recogniser, examples: Sequence[Example]) -> tuple[KnownTask, ...]:
    """The tasks of the recogniser in force, for `cluster(previous=...)`."""
    members: defaultdict[str, list[str]] = defaultdict(list)
    for call, task in members_of(recogniser, examples).items():
        if task:
            members[task].append(call)
    return tuple(KnownTask(task, frozenset(calls)) for task, calls in sorted(members.items()))


def _portraits(
    parts: Sequence[Group], previous: Sequence[KnownTask], namer: Namer | None, calls: int
) -> list[Portrait]:
    """Tasks with their ids: kept where they continue one of last time, else new."""
    kept = matched([frozenset(_ids(part)) for part in parts], previous)
    taken = {known.id for known in previous}
    portraits = []
    for index, part in enumerate(parts):
        found = profile([member.example.answer for member in part.members])
        drawn = sketch(part, found)
        name = kept.get(index) or task_id(drawn, taken, namer)
        taken.add(name)
        portraits.append(
            Portrait(
                task=_task(name, title(drawn), found, len(part.members), calls),
                sketch=drawn,
                prompts=len({part.key(member) for member in part.members}),
                sessions=part.sessions,
            )
        )
    return portraits


def _task(name: str, heading: str, found: Profile, calls: int, of: int) -> Task:
    return Task(name, heading, found.kind, calls, calls / of if of else 0.0, found.answers)


def _learned(prompts: Sequence[_Prompt], ids: Sequence[str], known: Vocabulary, encoder: Encoder) -> Learned:
    targets: list[str | Subtasks] = []
    keys: dict[bytes, int] = {}
    outlines: list[tuple[Outline, int]] = []
    remaining = iter(ids)
    for prompt in prompts:
        names = [next(remaining) for _ in prompt.parts]
        target = len(targets)
        targets.append(prompt.split.subtasks(names) if prompt.split else names[0])
        keys |= dict.fromkeys((prompt.group.key(member) for member in prompt.group.members), target)
        if not prompt.group.broad:
            outlines += [(each, target) for each in _outlines(prompt.group, known)]
    split_ = any(prompt.split for prompt in prompts)
    learned = Learned(tuple(targets), keys, tuple(outlines), known, encoder.name if split_ else "")
    return replace(learned, version=sha256(encode(learned)).hexdigest()[:12]) if targets else learned


def _outlines(group: Group, known: Vocabulary) -> list[Outline]:
    minhash = MinHash()
    fingerprints = {group.key(member): member.fingerprint for member in group.members}
    counts = Counter(group.key(member) for member in group.members)
    found: Counter[Outline] = Counter()
    for key, fingerprint in fingerprints.items():
        outline = replace(outline_of(fingerprint, known, minhash), after_tool=group.after_tool)
        found[outline] += counts[key]
    return [each for each, _ in found.most_common(_OUTLINES)]


def _ids(group: Group) -> list[str]:
    return [member.example.call_id for member in group.members]
