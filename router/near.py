"""Near matches: prompts that were not seen before, but differ little from one that was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router.fingerprint import Fingerprint, Shape
from router.minhash import MinHash, Signature, likeness
from router.skeleton import Skeleton

ALIKE: Final = 0.5
"""Share of lines in common, boilerplate apart, that makes two prompts with one opening the same."""

SAME_PERSONA: Final = 0.1
"""The same where the two first sentences are."""

_Family = tuple[str, bytes, bytes, bool]


@dataclass(frozen=True, slots=True)
class Outline:
    """A known prompt, as near matches are compared with it."""

    endpoint: str
    format: bytes
    tools: tuple[str, ...]
    after_tool: bool
    opening: bytes
    persona: bytes
    signature: bytes
    """MinHash of its lines without boilerplate."""


@dataclass(frozen=True, slots=True)
class Near:
    """A near match."""

    target: int
    likeness: float
    """Share of lines in common, estimated."""


class Outlines:
    """Known prompts by what a near match must have in common with them: endpoint, format, role shape and opening."""

    def __init__(self, outlines: Sequence[tuple[Outline, int]], boilerplate: Collection[int]) -> None:
        self._boilerplate = boilerplate
        self._minhash = MinHash()
        families = defaultdict(list)
        for outline, target in outlines:
            families[_family(outline)].append((outline, target))
        self._families = {family: _Rows(members) for family, members in families.items()}

    def find(self, fingerprint: Fingerprint) -> Near | None:
        """The known prompt that is most like this one; None when none is alike enough."""
        if not fingerprint.prompt.opening:
            return None
        family = (
            fingerprint.shape.endpoint,
            fingerprint.shape.format,
            fingerprint.prompt.opening,
            fingerprint.shape.after_tool,
        )
        rows = self._families.get(family)
        if rows is None:
            return None
        return rows.nearest(outline(fingerprint.shape, fingerprint.prompt, self._boilerplate, self._minhash))


def outline(shape: Shape, prompt: Skeleton, boilerplate: Collection[int], minhash: MinHash) -> Outline:
    """The outline of a fingerprint."""
    telling = [line for line in prompt.lines if line not in boilerplate]
    return Outline(
        endpoint=shape.endpoint,
        format=shape.format,
        tools=shape.tools,
        after_tool=shape.after_tool,
        opening=prompt.opening,
        persona=prompt.persona,
        signature=minhash.sign(telling).tobytes(),
    )


class _Rows:
    """The outlines of one family, as arrays."""

    def __init__(self, members: Sequence[tuple[Outline, int]]) -> None:
        self._signatures = np.stack([_signature(outline) for outline, _ in members])
        self._personas = [outline.persona for outline, _ in members]
        self._tools = [frozenset(outline.tools) for outline, _ in members]
        self._targets = [target for _, target in members]

    def nearest(self, asked: Outline) -> Near | None:
        alike = likeness(_signature(asked), self._signatures)
        tools = frozenset(asked.tools)
        for row in np.argsort(-alike, kind="stable"):
            enough = SAME_PERSONA if self._personas[row] == asked.persona else ALIKE
            if alike[row] >= enough and tools_fit(tools, self._tools[row]):
                return Near(self._targets[row], float(alike[row]))
        return None


def tools_fit(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two sets of tools are alike enough: at least half of the names in common, or none on either side."""
    return 2 * len(one & other) >= len(one | other)


def _family(outline: Outline) -> _Family:
    return outline.endpoint, outline.format, outline.opening, outline.after_tool


def _signature(outline: Outline) -> Signature:
    signature: NDArray[np.uint32] = np.frombuffer(outline.signature, np.uint32)
    return signature
