"""Groups of calls: one agent, one form of answer.

Calls with one exact key belong together, and so do calls whose prompts are near matches of each other, the relation
that the recogniser uses too: the same opening sentence, which is where agents say who they are, the same form of
answer, and enough in common besides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from conversion.cluster.observation import Observation
from router.fingerprint import Fingerprint
from router.minhash import MinHash
from router.near import Outline, Stack, Vocabulary, outline_of
from router.skeleton import Skeleton

BOILERPLATE: Final = 3
"""Openings under which a line stands before it counts as boilerplate."""

JOINED: Final = 0.3
"""Likeness at which prompts are one task. A call is only recognised at a greater one (`router.near.ALIKE`): joining
two prompts that were both seen is the smaller risk."""

_RECURS: Final = 0.1
"""Share of the user texts with one opening that must hold a line for it to belong to their template."""

MOST: Final = 2_000
"""Groups that are kept, the largest ones."""

_COMPARED: Final = 2_000
"""Distinct prompts of one opening that are compared with each other; rarer ones stay by themselves."""


@dataclass(frozen=True, slots=True)
class Group:
    """Calls that do one job, as far as their prompts tell."""

    members: tuple[Observation, ...]
    broad: bool = False
    """Whether the user's text is left out of its key."""
    after_tool: bool | None = None
    """Whether its calls end with a tool's result, where that is what sets them apart."""

    @property
    def sessions(self) -> int:
        """Distinct sessions of its calls."""
        return len({member.example.session for member in self.members})

    def key(self, member: Observation) -> bytes:
        """The exact key by which a member is found again."""
        if self.broad and (key := member.fingerprint.broad_key) is not None:
            return key
        return member.fingerprint.key


def vocabulary(observations: Sequence[Observation]) -> Vocabulary:
    """Which lines are boilerplate, and which belong to the templates of user texts."""
    openings: defaultdict[int, set[bytes]] = defaultdict(set)
    families: defaultdict[Hashable, set[Skeleton]] = defaultdict(set)
    for observation in observations:
        fingerprint = observation.fingerprint
        for line in fingerprint.prompt.lines:
            openings[line].add(fingerprint.prompt.opening)
        if fingerprint.broad is not None:
            families[_opening(fingerprint)].add(fingerprint.prompt)
    return Vocabulary(
        boilerplate=frozenset(line for line, under in openings.items() if len(under) >= BOILERPLATE),
        template=frozenset(line for prompts in families.values() for line in _recurring(prompts)),
    )


def _recurring(prompts: Collection[Skeleton]) -> Iterator[int]:
    """Lines that are in several of the prompts; all, where there is but one, for it may come back as it is."""
    counts = Counter(line for prompt in prompts for line in prompt.lines)
    least = max(min(2, len(prompts)), _RECURS * len(prompts))
    return (line for line, count in counts.items() if count >= least)


def groups(observations: Sequence[Observation], known: Vocabulary, least: int) -> list[Group]:
    """The groups, the largest first; calls that no group holds are left out.

    Instructions were written by someone and make a group even once; where a user's text stands in for them, it has to
    come back: at least `least` calls."""
    by_opening: defaultdict[Hashable, list[Observation]] = defaultdict(list)
    for observation in observations:
        by_opening[_opening(observation.fingerprint)].append(observation)
    found = [Group(tuple(near)) for members in by_opening.values() for near in _near(members, known)]
    kept = [group for group in found if _stays(group, least)]
    left = [member for group in found if not _stays(group, least) for member in group.members]
    kept += [group for group in _broad_groups(left) if len(group.members) >= least]
    kept.sort(key=lambda group: (-len(group.members), group.key(group.members[0])))
    return kept[:MOST]


def _stays(group: Group, least: int) -> bool:
    return len(group.members) >= least or group.members[0].fingerprint.broad is None


def _opening(fingerprint: Fingerprint) -> Hashable:
    shape = fingerprint.shape
    return shape.endpoint, shape.format, fingerprint.prompt.opening


def _near(members: Sequence[Observation], known: Vocabulary) -> list[list[Observation]]:
    """Calls with one opening, those with near prompts together: single linkage over distinct prompts."""
    minhash = MinHash()
    by_outline: defaultdict[Outline, list[Observation]] = defaultdict(list)
    outlines: dict[Fingerprint, Outline] = {}
    for member in members:
        seen = member.fingerprint
        if seen not in outlines:
            outlines[seen] = outline_of(seen, known, minhash)
        by_outline[outlines[seen]].append(member)
    ranked = sorted(by_outline, key=lambda each: len(by_outline[each]), reverse=True)
    compared, rare = ranked[:_COMPARED], ranked[_COMPARED:]
    joined = [[member for each in near for member in by_outline[each]] for near in _linked(compared)]
    return joined + [by_outline[each] for each in rare]


def _linked(outlines: Sequence[Outline]) -> list[list[Outline]]:
    """The connected parts of the graph whose edges are near matches."""
    stack = Stack(outlines)
    waiting = dict.fromkeys(range(len(outlines)))
    parts = []
    while waiting:
        front = [next(iter(waiting))]
        part = []
        while front:
            place = front.pop()
            if place not in waiting:
                continue
            del waiting[place]
            part.append(outlines[place])
            front += [
                near
                for near in np.flatnonzero(stack.alike(outlines[place]) >= JOINED).tolist()
                if near in waiting
            ]
        parts.append(part)
    return parts


def _broad_groups(left: Sequence[Observation]) -> list[Group]:
    """Calls whose user texts have no template, by their instructions alone, where these or the shape say something."""
    by_key: defaultdict[bytes, list[Observation]] = defaultdict(list)
    for observation in left:
        key = observation.fingerprint.broad_key
        if key is not None and _asks_for_something(observation.fingerprint):
            by_key[key].append(observation)
    return [Group(tuple(members), broad=True) for members in by_key.values()]


def _asks_for_something(fingerprint: Fingerprint) -> bool:
    broad, shape = fingerprint.broad, fingerprint.shape
    return bool((broad is not None and broad.opening) or shape.tools or shape.format)
