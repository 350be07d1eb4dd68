"""The curation itself: the log goes in, a data set comes out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Literal

from conversion.candidate import Progress
from conversion.curate.public import PublicValues
from conversion.curate.selection import Caps, Selection
from conversion.dataset import KIND, NAME, DatasetWriter
from conversion.example import Example
from conversion.privacy.pseudonyms import Pseudonyms
from conversion.privacy.recogniser import Recogniser
from conversion.privacy.veil import recognisers, veiled
from conversion.source import Audit, Span, Unfit, read
from store.artifacts import Artifact, ArtifactStore
from store.calls import Calls
from store.keyring import KeyRing

_PURPOSE: Final = b"pseudonyms"
_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Curation:
    """How the log becomes a data set."""

    span: Span = field(default_factory=Span)
    caps: Caps = field(default_factory=Caps)
    seed: int = 0
    known: Collection[str] = ()
    """Ids of tasks that are recognised already."""
    bad: Callable[[Sequence[str]], Collection[str]] = field(default=lambda ids: ())
    """Which of these calls feedback called bad."""
    audit: Audit = lambda understudy, call_id: None
    """What the LLM answered to replaced calls."""
    privacy: Sequence[Recogniser] = ()
    """Recognisers beside those built in."""

    def run(
        self,
        calls: Calls,
        artifacts: ArtifactStore,
        ring: KeyRing,
        progress: Progress = lambda done, total: None,
    ) -> Artifact:
        """Read the log and write a data set. Raises DatabaseError and ArtifactError; then nothing has changed."""
        salt = os.urandom(16)
        public = PublicValues()
        pseudonyms = Pseudonyms(ring.active.derive(_PURPOSE, salt), recognisers(self.privacy), public.see)
        chosen = Selection(self.caps)
        seen = _Seen()
        with artifacts.create(KIND, NAME) as draft:
            writer = DatasetWriter(draft)
            for item in self._judged(read(calls, self.span, self.known, self.audit)):
                seen.read += 1
                if seen.read % _BATCH == 0:
                    progress(seen.read, self.span.limit)
                reason = chosen.surplus(item) if isinstance(item, Example) else item
                if isinstance(item, str) or reason is not None:
                    seen.dropped[str(reason)] += 1
                    continue
                public.session = item.session
                writer.add(veiled(item, pseudonyms))
                seen.note(item)
            progress(seen.read, seen.read)
            return writer.commit(self._facts(seen, public, salt), public.kept)

    def _judged(self, items: Iterator[Example | Unfit]) -> Iterator[Example | Unfit | Literal["marked bad"]]:
        """The same, with what feedback called bad taken out; asked for many calls at a time."""
        while batch := list(islice(items, _BATCH)):
            bad = self.bad([item.call_id for item in batch if isinstance(item, Example)])
            for item in batch:
                yield "marked bad" if isinstance(item, Example) and item.call_id in bad else item

    def _facts(self, seen: _Seen, public: PublicValues, salt: bytes) -> Mapping[str, Any]:
        return {
            "query": {"since": self.span.since, "until": self.span.until, "limit": self.span.limit},
            "caps": {"template": self.caps.per_template, "session": self.caps.per_session},
            "read": seen.read,
            "dropped": dict(seen.dropped.most_common()),
            "sessions": len(seen.sessions),
            "oldest": seen.oldest,
            "newest": seen.newest,
            "kept_values": len(public.kept),
            "recognisers": [type(each).__name__ for each in recognisers(self.privacy)],
            "salt": salt.hex(),
            "seed": self.seed,
        }


@dataclass(slots=True)
class _Seen:
    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    sessions: set[str] = field(default_factory=set)
    oldest: int | None = None
    newest: int | None = None

    def note(self, example: Example) -> None:
        self.sessions.add(example.session)
        self.oldest = example.started
        self.newest = self.newest or example.started
