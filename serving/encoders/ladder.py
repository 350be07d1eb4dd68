"""The ladder of encoders: the best that is installed for training, the right one for what was trained before.

Past the first rung, hashed n-grams stand beside the encoder that sees meaning: they cost a fifth of a millisecond, and
the two err on different texts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, Literal

from router.encoder import Encoder
from router.encoders.hashed_ngrams import HashedNgrams
from router.encoders.light import light_encoder
from router.encoders.static import StaticEncoder
from serving.encoders import teacher
from serving.encoders.errors import EncoderError
from serving.encoders.pair import JOINED, Pair
from serving.encoders.remembered import Remembered

Rung = Literal["hashed", "static", "teacher"]

_BESIDE: Final = HashedNgrams(2048)
_STATIC: Final = "static-student"
"""In reports, whatever its weights are."""


class Encoders:
    """Encoders of one process, each loaded once; safe to share between threads.

    `student` is the static encoder that was distilled here, where one was; `distil` makes one, where that can be done,
    when it is first wanted."""

    def __init__(
        self, student: StaticEncoder | None = None, distil: Callable[[], StaticEncoder] | None = None
    ) -> None:
        self._student = student
        self._distil = distil
        self._loaded: dict[str, Encoder] = {student.name: student} if student else {}
        self._lock = threading.Lock()

    @property
    def student(self) -> StaticEncoder | None:
        """The static encoder that was distilled here; None while there is none."""
        return self._student

    @property
    def installed(self) -> Sequence[Rung]:
        """The rungs that can be used, cheapest first; nothing is loaded for the answer."""
        found: list[Rung] = ["hashed"]
        if self._student or self._distil:
            found.append("static")
        if teacher.installed():
            found.append("teacher")
        return found

    @property
    def best(self) -> Rung:
        """The highest of them."""
        return self.installed[-1]

    def name_of(self, rung: Rung) -> str:
        """What a rung's encoder is called in reports; nothing is loaded or distilled for the answer."""
        if rung == "hashed":
            return HashedNgrams().name
        first = teacher.NAME if rung == "teacher" else _STATIC
        return f"{first}{JOINED}{_BESIDE.name}"

    def of_rung(self, rung: Rung) -> Encoder:
        """The encoder of a rung; raises EncoderError, with the remedy, when it is not installed."""
        if rung == "hashed":
            return HashedNgrams()
        if rung == "teacher":
            return Pair(self._teacher(), _BESIDE)
        if self._student is None and self._distil is not None:
            self._student = self._distil()
        if self._student is None:
            raise EncoderError("there is no static encoder yet; `understudy convert` distils one")
        return Pair(self._student, _BESIDE)

    def named(self, name: str, read: Callable[[str], bytes]) -> Encoder:
        """The encoder that a head was trained on; `read` gives a file of the head's artifact. Raises EncoderError."""
        first, joined, second = name.partition(JOINED)
        if joined:
            return Pair(self._single(first, read), self._single(second, read))
        return self._single(name, read)

    def _single(self, name: str, read: Callable[[str], bytes]) -> Encoder:
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
                self._loaded[teacher.NAME] = Remembered(teacher.Teacher.load())
            return self._loaded[teacher.NAME]
