"""A call of the log with its fingerprint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conversion.example import Example
from router.decision import Query
from router.fingerprint import Fingerprint, Fingerprints


@dataclass(frozen=True, slots=True)
class Observation:
    """What clustering knows of a call."""

    example: Example
    fingerprint: Fingerprint


def observe(examples: Sequence[Example]) -> Iterator[Observation]:
    """Read the fingerprints of examples."""
    fingerprints = Fingerprints()
    for example in examples:
        yield Observation(example, fingerprints.read(query_of(example)))


def query_of(example: Example) -> Query:
    """An example as the router would see it."""
    return Query(example.endpoint, example.request, size=0)
