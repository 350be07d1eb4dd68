"""Groups of calls: one agent, one form of answer.

Calls with one exact key belong together. Prompts are joined when they open with the same sentence, which is where
agents say who they are, and ask for the same form of answer on the same endpoint. An opening that says nothing ("You
are a helpful assistant") joins only prompts that are near by what follows it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from conversion.cluster.observation import Observation
from router.fingerprint import Fingerprint
from router.minhash import MinHash, Signature, likeness
from router.near import ALIKE

BOILERPLATE: Final = 3
"""Openings under which a line stands before it counts as boilerplate."""

_COMPARED: Final = 400
"""Distinct prompts of one generic opening that are compared with each other; rarer ones stay by themselves."""


@dataclass(frozen=True, slots=True)
class Group:
    """Calls that do one job, as far as their prompts tell."""

    members: tuple[Observation, ...]
    broad: bool = False
    """Whether the user's text is left out of its key."""

    @property
    def sessions(self) -> int:
        """Distinct sessions of its calls."""
        return len({member.example.session for member in self.members})

    def key(self, member: Observation) -> bytes:
        """The exact key by which a member is found again."""
        if self.broad and (key := member.fingerprint.broad_key) is not None:
            return key
        return member.fingerprint.key


def boilerplate(observations: Iterable[Observation]) -> frozenset[int]:
    """Lines that prompts with different openings share."""
    openings: defaultdict[int, set[bytes]] = defaultdict(set)
    for prompt in {observation.fingerprint.prompt for observation in observations}:
        for line in prompt.lines:
            openings[line].add(prompt.opening)
    return frozenset(line for line, under in openings.items() if len(under) >= BOILERPLATE)


def groups(observations: Sequence[Observation], shared: frozenset[int], least: int) -> list[Group]:
    """Groups of at least `least` calls, the largest first; calls that no group holds are left out."""
    by_agent: defaultdict[Hashable, list[Observation]] = defaultdict(list)
    for observation in observations:
        by_agent[_agent(observation.fingerprint)].append(observation)
    found = [group for members in by_agent.values() for group in _agents(members, shared)]
    kept = [group for group in found if len(group.members) >= least]
    left = [member for group in found if len(group.members) < least for member in group.members]
    kept += [group for group in _broad_groups(left) if len(group.members) >= least]
    return sorted(kept, key=lambda group: (-len(group.members), group.key(group.members[0])))


def _agent(fingerprint: Fingerprint) -> Hashable:
    shape = fingerprint.shape
    return shape.endpoint, shape.format, fingerprint.prompt.opening


def _agents(members: Sequence[Observation], shared: frozenset[int]) -> list[Group]:
    """The groups among calls with one opening."""
    if not members[0].fingerprint.prompt.generic:
        return [Group(tuple(members))]
    by_prompt: defaultdict[bytes, list[Observation]] = defaultdict(list)
    for member in members:
        by_prompt[member.fingerprint.prompt.digest].append(member)
    prompts = sorted(by_prompt.values(), key=len, reverse=True)
    joined = _near(prompts[:_COMPARED], shared)
    return [Group(tuple(group)) for group in [*joined, *prompts[_COMPARED:]]]


def _near(prompts: Sequence[list[Observation]], shared: frozenset[int]) -> list[list[Observation]]:
    """Prompts joined, each with the first group that has one near it."""
    minhash = MinHash()
    groups: list[list[Observation]] = []
    signatures: list[list[Signature]] = []
    for members in prompts:
        skeleton = members[0].fingerprint.prompt
        signature = minhash.sign([line for line in skeleton.lines if line not in shared])
        for group, signed in zip(groups, signatures, strict=True):
            if likeness(signature, np.stack(signed)).max() >= ALIKE:
                group.extend(members)
                signed.append(signature)
                break
        else:
            groups.append(list(members))
            signatures.append([signature])
    return groups


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


def most_common(values: Iterable[Hashable]) -> list[Hashable]:
    """Values, the most frequent first; of equally frequent ones the first seen."""
    return [value for value, _ in Counter(values).most_common()]
