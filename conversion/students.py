"""Where the static student comes from: distilled once, when it is first wanted, and kept as an artifact."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from conversion.candidate import Progress
from conversion.student import distil
from router.encoders.light import WEIGHTS
from router.encoders.static import StaticEncoder
from serving.encoders import teacher
from serving.encoders.errors import EncoderError
from store.artifacts import ArtifactStore
from store.errors import ArtifactError

KIND: Final = "encoder"
NAME: Final = "static-student"

Distil = Callable[[teacher.Teacher, Progress], StaticEncoder]


class Students:
    """The static student of the teacher that is installed here; safe to share between threads."""

    def __init__(
        self, artifacts: ArtifactStore, step: Callable[[str], Progress], make: Distil = distil
    ) -> None:
        """`step` is told when a distillation begins; `make` is how it is done."""
        self._artifacts = artifacts
        self._step = step
        self._make = make
        self._lock = threading.Lock()

    def latest(self) -> StaticEncoder | None:
        """The one that was distilled last; None where there is none, or none that can be read."""
        for artifact in self._artifacts.list(KIND, NAME):
            try:
                return StaticEncoder.from_bytes(artifact.read(WEIGHTS))
            except (ArtifactError, ValueError):
                continue  # an older one may do; if none does, it is distilled anew
        return None

    def distilled(self) -> StaticEncoder:
        """The latest one, distilled first where there is none: a minute. Raises EncoderError."""
        with self._lock:
            return self.latest() or self._new()

    def _new(self) -> StaticEncoder:
        student = self._make(teacher.Teacher.load(), self._step("distil: a static encoder from MiniLM"))
        try:
            with self._artifacts.create(KIND, NAME) as draft:
                draft.write(WEIGHTS, student.to_bytes())
                draft.commit({"encoder": student.name, "teacher": teacher.NAME})
        except ArtifactError as error:
            raise EncoderError(f"the static encoder cannot be kept: {error}") from error
        return student
