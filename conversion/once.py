"""Candidates that are trained once: each step after the training loads what the training left behind."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from conversion.candidate import Candidate, EngineKind, Progress, Trained, TrainingError
from conversion.task import TaskData
from store.whole_file import replace_file

MARK: Final = "trained.json"
"""In a candidate's folder; it belongs to the training and not to what was trained."""


class _Mark(msgspec.Struct, frozen=True):
    data: str
    """Digest of the calls it was trained on."""
    files: str
    """Below the folder."""


@dataclass(frozen=True, slots=True)
class Once:
    """A candidate that remembers in its folder what it was trained on."""

    candidate: Candidate

    @property
    def name(self) -> str:
        return self.candidate.name

    @property
    def engine(self) -> EngineKind:
        return self.candidate.engine

    @property
    def dollars_per_million(self) -> float:
        return self.candidate.dollars_per_million

    def unsuited(self, data: TaskData) -> str:
        """As the candidate says."""
        return self.candidate.unsuited(data)

    def train(self, data: TaskData, folder: Path, progress: Progress) -> Trained:
        """Train, or load what was trained on the same calls before."""
        digest = _digest(data)
        mark = _mark(folder)
        if mark is not None and mark.data == digest:
            try:
                return self.candidate.load(folder / mark.files)
            except TrainingError:
                (folder / MARK).unlink()
        trained = self.candidate.train(data, folder, progress)
        place = trained.files.relative_to(folder).as_posix()
        replace_file(folder / MARK, msgspec.json.encode(_Mark(digest, place)))
        return trained

    def load(self, folder: Path) -> Trained:
        """As the candidate does."""
        return self.candidate.load(folder)


def _mark(folder: Path) -> _Mark | None:
    try:
        return msgspec.json.decode((folder / MARK).read_bytes(), type=_Mark)
    except (OSError, msgspec.MsgspecError):
        return None


def _digest(data: TaskData) -> str:
    parts = (",".join(example.call_id for example in part) for part in (data.training, data.calibration))
    return hashlib.sha256(";".join(parts).encode()).hexdigest()
