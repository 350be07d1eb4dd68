"""Calls in which something was said. Content is sealed, so no index finds it: calls are opened, the newest first.

What calls share (instructions, the conversation so far) is opened once, and the search ends after a while and says where
it stood, so that it may go on from there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import orjson
from sqlalchemy import Engine

from store.call_id import show
from store.calls import Calls, CallSummary, Filters
from store.contents import Codec, Seals, load
from store.database import translating

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, newest first."""

    calls: Sequence[CallSummary]
    next: str | None
    """Cursor to go on from; None when every call was looked at."""
    searched: int
    """How many calls were looked at."""


class Search:
    """Looks for words in requests and responses. Methods raise DatabaseAway and SealError."""

    def __init__(self, engine: Engine, sealer: Seals, calls: Calls) -> None:
        self._engine = engine
        self._codec = Codec(sealer)
        self._calls = calls

    def find(self, filters: Filters, words: str, seconds: float) -> Found:
        """The newest calls that match the filters and hold these words, upper or lower case, within one text.

        Looks for about so many seconds at most."""
        needles, deadline = _needles(words), time.monotonic() + seconds
        known: dict[int, bool] = {}
        hits: list[bytes] = []
        searched, cursor = 0, filters.before
        while True:
            page = self._calls.parts(replace(filters, before=cursor, limit=_PAGE))
            self._look(known, {each for _, contents in page for each in contents}, needles)
            for number, contents in page:
                searched, cursor = searched + 1, show(number)
                if any(known.get(content) for content in contents):
                    hits.append(number)
                    if len(hits) == filters.limit:
                        return Found(self._shown(hits), cursor, searched)
            if len(page) < _PAGE:
                return Found(self._shown(hits), None, searched)
            if time.monotonic() > deadline:
                return Found(self._shown(hits), cursor, searched)

    def _look(self, known: dict[int, bool], numbers: set[int], needles: Sequence[str]) -> None:
        """Note of each content whether it holds the words; what was deleted meanwhile stays unknown."""
        with translating(self._engine), self._engine.connect() as connection:
            for number, part in load(connection, self._codec, numbers - known.keys()).items():
                said = part.decode("utf-8", "replace").casefold()
                known[number] = any(needle in said for needle in needles)

    def _shown(self, hits: Sequence[bytes]) -> Sequence[CallSummary]:
        return list(reversed(self._calls.summaries(hits)))


def _needles(words: str) -> Sequence[str]:
    """The words as JSON may write them: contents are kept as they were sent."""
    plain = orjson.dumps(words).decode()[1:-1]
    escaped = words.encode("ascii", "backslashreplace").decode()
    return tuple({each.casefold() for each in (words, plain, escaped)})
