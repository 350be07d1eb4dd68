"""The ladder of encoders: the best that is installed for training, the right one for what was trained before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from router.encoder import Encoder
from router.encoders.hashed_ngrams import HashedNgrams
from router.encoders.light import light_encoder
from router.encoders.static import StaticEncoder
from serving.encoders import teacher
from serving.encoders.errors import EncoderError

Rung = Literal["hashed", "static", "teacher"]


class Encoders:
    """Encoders of one process, each loaded once; safe to share between threads.

    `student` is the static encoder that was distilled here, where one was."""

    def __init__(self, student: StaticEncoder | None = None) -> None:
        self._student = student
        self._loaded: dict[str, Encoder] = {student.name: student} if student else {}
        self._lock = threading.Lock()

    @property
    def best(self) -> Rung:
        """The highest rung that is installed; nothing is loaded for the answer."""
        if teacher.installed():
            return "teacher"
        return "static" if self._student else "hashed"

    def name_of(self, rung: Rung) -> str:
        """The name of a rung's encoder; nothing is loaded for the answer."""
        return teacher.NAME if rung == "teacher" else self.of_rung(rung).name

    def of_rung(self, rung: Rung) -> Encoder:
        """The encoder of a rung; raises EncoderError, with the remedy, when it is not installed."""
        if rung == "teacher":
            return self._teacher()
        if rung == "hashed":
            return HashedNgrams()
        if self._student is None:
            raise EncoderError("there is no static encoder yet; `understudy convert` distils one")
        return self._student

    def named(self, name: str, read: Callable[[str], bytes]) -> Encoder:
        """The encoder that a head was trained on; `read` gives a file of the head's artifact. Raises EncoderError."""
        with self._lock:
            known = self._loaded.get(name)
        if known is not None:
            return known
        if name == teacher.NAME:
            return self._teacher()
        try:
            encoder = light_encoder(name, read)
        except ValueError as error:
            raise EncoderError(str(error)) from error
        if encoder is None:
            raise EncoderError(f"the encoder {name!r} is not known here; train the head anew")
        with self._lock:
            return self._loaded.setdefault(name, encoder)

    def _teacher(self) -> Encoder:
        with self._lock:
            if teacher.NAME not in self._loaded:
                self._loaded[teacher.NAME] = teacher.Teacher.load()
            return self._loaded[teacher.NAME]
