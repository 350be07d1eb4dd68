"""Values that many sessions share: they belong to the application and not to a person, and stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from conversion.privacy.pseudonyms import Seen

_NEVER: Final = ("secret", "card")
"""Kinds that stay nowhere, however many share them."""


@dataclass(slots=True)
class PublicValues:
    """Counts the sessions in which each value stands, up to `sessions`; bounded in memory."""

    sessions: int = 10
    limit: int = 200_000
    """Values that are counted; what comes later is always replaced."""
    session: str = ""
    """The session that is being read."""
    _values: dict[str, str] = field(default_factory=dict)
    _in: dict[str, set[str]] = field(default_factory=dict)

    def see(self, seen: Seen) -> None:
        """Note a value in the present session."""
        if seen.kind in _NEVER:
            return
        where = self._in.get(seen.digest)
        if where is None:
            if len(self._in) >= self.limit:
                return
            where = self._in[seen.digest] = set()
            self._values[seen.digest] = seen.value
        if len(where) < self.sessions:
            where.add(self.session)

    @property
    def kept(self) -> Mapping[str, str]:
        """Values of enough sessions, by digest, as they were written first."""
        return {
            digest: self._values[digest] for digest, where in self._in.items() if len(where) >= self.sessions
        }
