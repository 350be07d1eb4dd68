"""The trained recogniser: fingerprint, near match, sub-task classifier, rejection; and its bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from router.decision import Query
from router.encoder import Encoder
from router.fingerprint import Fingerprint, Fingerprints
from router.near import Outline, Outlines, Vocabulary
from router.recognition import Recognition
from router.subtasks import HumanTexts, Subtasks


@dataclass(frozen=True, slots=True)
class Learned:
    """What a training run found out; indices point into `targets`."""

    targets: tuple[str | Subtasks, ...]
    """A task's id, or the sub-tasks of a broad prompt."""
    keys: Mapping[bytes, int]
    """Target of each exact key."""
    outlines: Sequence[tuple[Outline, int]]
    """What near matches are sought among, each with its target."""
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    encoder: str = ""
    """Name of the encoder of the sub-tasks; empty where there are none."""
    version: str = ""


NOTHING: Final = Learned((), {}, ())
"""Of no training run: every call is unknown."""


class TrainedRecogniser:
    """Recognises calls by what was learned (`router.recognition.Recogniser`); safe for one thread."""

    def __init__(self, learned: Learned = NOTHING, encoder: Encoder | None = None) -> None:
        """`encoder` has to be the one that the sub-tasks were learned with; without it they are not told apart, and
        their calls are unknown."""
        self.learned = learned
        self._fingerprints = Fingerprints()
        self._near = Outlines(learned.outlines, learned.vocabulary)
        fits = encoder is not None and encoder.name == learned.encoder
        self._texts = HumanTexts(encoder) if fits and encoder is not None else None

    @property
    def version(self) -> str:
        """Names the training run; empty when nothing was learned yet."""
        return self.learned.version

    @property
    def tasks(self) -> tuple[str, ...]:
        """Ids of all tasks it may recognise."""
        found: dict[str, None] = {}
        for target in self.learned.targets:
            found |= dict.fromkeys((target,) if isinstance(target, str) else target.tasks)
        return tuple(found)

    def recognise(self, query: Query) -> Recognition | None:
        """The task of a call; None when it is not known."""
        if query.endpoint == "other" or not self.learned.targets:
            return None
        fingerprint = self._fingerprints.read(query)
        known = self._known(fingerprint)
        if known is not None:
            return self._recognition(query, known, Recognition("", "fingerprint"))
        near = self._near.find(fingerprint)
        if near is None:
            return None
        return self._recognition(query, near.target, Recognition("", "near", near.likeness))

    def _known(self, fingerprint: Fingerprint) -> int | None:
        found = self.learned.keys.get(fingerprint.key)
        if found is None and (broad := fingerprint.broad_key) is not None:
            return self.learned.keys.get(broad)
        return found

    def _recognition(self, query: Query, index: int, found: Recognition) -> Recognition | None:
        target = self.learned.targets[index]
        if isinstance(target, str):
            return Recognition(target, found.how, found.confidence)
        if self._texts is None:
            return None
        classified = target.classify(self._texts.vector(query.endpoint, query.body))
        return None if classified is None else Recognition(classified[0], "classifier", classified[1])
