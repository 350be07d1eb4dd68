"""Near matches: prompts that were not seen before, but differ little from one that was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from router.fingerprint import Fingerprint
from router.minhash import MinHash, Signature, likeness

ALIKE: Final = 0.4
"""Share of what two prompts say that both must say, boilerplate apart."""

_OPENING: Final = 2
_PERSONA: Final = 6
"""How many lines the first sentence in common counts as, and the first two: agents say there who they are. Short
prompts are told by them; in a long one the rest has to agree as well."""

_Family = tuple[str, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Outline:
    """A known prompt, as near matches are compared with it."""

    endpoint: str
    format: bytes
    opening: bytes
    generic: bool
    persona: bytes
    lines: int
    """How many telling lines it has."""
    signature: bytes
    """MinHash of them."""
    after_tool: bool | None = None
    """Whether it stands for calls that end with a tool's result, or for those that do not; None for both."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What is known of lines."""

    boilerplate: frozenset[int] = frozenset()
    """Lines that prompts of different agents share, which tell nothing."""
    template: frozenset[int] = frozenset()
    """Lines that came back in user texts where these stand in for instructions; the others there are values."""

    def telling(self, fingerprint: Fingerprint) -> set[int]:
        """The lines by which a prompt is compared, and its tools, each as a line."""
        lines = set(fingerprint.prompt.lines) - self.boilerplate
        if fingerprint.broad is not None:
            lines &= self.template
        lines.update(
            crc32(b"tool " + name.encode("utf-8", "surrogatepass")) for name in fingerprint.shape.tools
        )
        return lines


@dataclass(frozen=True, slots=True)
class Near:
    """A near match."""

    target: int
    likeness: float
    """Share of what the two prompts say that both say, estimated."""


class Outlines:
    """Known prompts by what a near match must have in common with them: endpoint, response format and opening."""

    def __init__(self, outlines: Sequence[tuple[Outline, int]], vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._minhash = MinHash()
        families = defaultdict(list)
        for outline, target in outlines:
            families[_family(outline)].append((outline, target))
        self._families = {family: _Rows(members) for family, members in families.items()}

    def find(self, fingerprint: Fingerprint) -> Near | None:
        """The known prompt that is most like this one; None when none is alike enough."""
        shape, prompt = fingerprint.shape, fingerprint.prompt
        rows = self._families.get((shape.endpoint, shape.format, prompt.opening))
        if rows is None:
            return None
        return rows.nearest(outline_of(fingerprint, self._vocabulary, self._minhash), shape.after_tool)


def outline_of(fingerprint: Fingerprint, vocabulary: Vocabulary, minhash: MinHash) -> Outline:
    """The outline of a fingerprint."""
    shape, prompt = fingerprint.shape, fingerprint.prompt
    telling = vocabulary.telling(fingerprint)
    return Outline(
        endpoint=shape.endpoint,
        format=shape.format,
        opening=prompt.opening,
        generic=prompt.generic,
        persona=prompt.persona,
        lines=len(telling),
        signature=minhash.sign(telling).tobytes(),
    )


class _Rows:
    """The outlines of one family, as arrays."""

    def __init__(self, members: Sequence[tuple[Outline, int]]) -> None:
        self._outlines = Stack([outline for outline, _ in members])
        self._targets = [target for _, target in members]
        # May a row stand for a call that does not end with a tool's result, and for one that does?
        self._fits = [
            np.array([outline.after_tool in (None, after_tool) for outline, _ in members])
            for after_tool in (False, True)
        ]

    def nearest(self, asked: Outline, after_tool: bool) -> Near | None:
        alike = np.where(self._fits[after_tool], self._outlines.alike(asked), 0.0)
        best = int(alike.argmax())
        return Near(self._targets[best], float(alike[best])) if alike[best] >= ALIKE else None


class Stack:
    """Outlines of one endpoint, response format and opening, to be compared with another of the same."""

    def __init__(self, outlines: Sequence[Outline]) -> None:
        self._signatures = np.stack([_signature(outline) for outline in outlines])
        self._lines = np.array([outline.lines for outline in outlines], np.float64)
        self._personas = np.array([int.from_bytes(outline.persona) for outline in outlines], np.uint64)

    def alike(self, asked: Outline) -> NDArray[np.float64]:
        """What each has in common with another, from 0 to 1: Jaccard's index over lines and names of tools, where
        the opening and the persona count as several lines."""
        index = likeness(_signature(asked), self._signatures)
        both = self._lines + asked.lines
        common = index * both / (1 + index)
        persona = np.where(self._personas == np.uint64(int.from_bytes(asked.persona)), _PERSONA, 0)
        counted = persona / 2 if asked.generic else np.maximum(persona, _OPENING)
        alike: NDArray[np.float64] = (counted + common) / (counted + both - common + 1e-9)
        return alike


def _family(outline: Outline) -> _Family:
    return outline.endpoint, outline.format, outline.opening


def _signature(outline: Outline) -> Signature:
    signature: NDArray[np.uint32] = np.frombuffer(outline.signature, np.uint32)
    return signature
