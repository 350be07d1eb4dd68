"""Which examples stay: no duplicates, no template and no session that outweighs all others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

import msgspec

from conversion.curate.template import template
from conversion.example import Example

Surplus = Literal["duplicate", "template cap", "session cap"]
"""Why a good call is left out."""

_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Caps:
    """How many examples may be alike."""

    per_template: int = 20_000
    """Calls with the same instructions, tools and form of answer; the newest stay."""
    per_session: int = 200
    """Calls of one session."""


@dataclass(slots=True)
class Selection:
    """Decides on examples one by one, the newest first; remembers digests and counts, no content."""

    caps: Caps = field(default_factory=Caps)
    _known: set[bytes] = field(default_factory=set)
    _templates: Counter[bytes] = field(default_factory=Counter)
    _sessions: Counter[str] = field(default_factory=Counter)

    def surplus(self, example: Example) -> Surplus | None:
        """Why an example is left out; None when it stays, and is counted from now on."""
        content = _digest(example)
        if content in self._known:
            return "duplicate"
        kind = template(example)
        if self._templates[kind] >= self.caps.per_template:
            return "template cap"
        if self._sessions[example.session] >= self.caps.per_session:
            return "session cap"
        self._known.add(content)
        self._templates[kind] += 1
        self._sessions[example.session] += 1
        return None


def _digest(example: Example) -> bytes:
    """Of what was asked and what was said; who asked, and when, does not count."""
    digest = blake2b(_encode([example.endpoint, example.request]), digest_size=16)
    answer = example.answer
    digest.update(_encode([answer.text, [(call.name, call.arguments) for call in answer.tool_calls]]))
    return digest.digest()
