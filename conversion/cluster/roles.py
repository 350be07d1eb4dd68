"""Two jobs of one prompt that its calls tell apart: before a tool was called, and once it has answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from conversion.cluster.answers import profile
from conversion.cluster.groups import Group

LEAST: Final = 20
"""Calls that each of the two must have."""


def by_role(groups: Sequence[Group]) -> Iterator[Group]:
    """Groups whose calls after a tool's result choose from a closed set where the others do not, or the reverse, in
    two; the others as they are.

    Most agents go on with the same job when a tool has answered, so that only such a difference separates them."""
    for group in groups:
        yield from _parts(group)


def _parts(group: Group) -> Sequence[Group]:
    after = tuple(member for member in group.members if member.fingerprint.shape.after_tool)
    before = tuple(member for member in group.members if not member.fingerprint.shape.after_tool)
    if min(len(after), len(before)) < LEAST:
        return [group]
    closed = [bool(profile([member.example.answer for member in part]).answers) for part in (before, after)]
    if closed[0] == closed[1]:
        return [group]
    return [replace(group, members=before, after_tool=False), replace(group, members=after, after_tool=True)]
