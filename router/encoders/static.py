"""The static student: one vector a token, added up. Distilled from a transformer (`conversion.student`), numpy alone."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router.encoder import Vectors
from router.encoders.wordpiece import WordPiece

LENGTH: Final = 2_000
"""Characters of a text that are read; the middle of a longer one is left out."""

_DIGITS: Final = 8


class StaticEncoder:
    """Texts become the mean of their tokens' vectors, at length 1; weights in the tokens' lengths say how much each counts.

    `vectors` has shape (tokens, dimensions), 8-bit, and row i times `scales[i]` is the vector of `tokens[i]`."""

    def __init__(self, tokens: Sequence[str], vectors: NDArray[np.int8], scales: NDArray[np.float32]) -> None:
        if vectors.ndim != 2 or len(tokens) != len(vectors) or scales.shape != (len(tokens),):
            raise ValueError(
                f"{len(tokens)} tokens, vectors of shape {vectors.shape} and scales of shape {scales.shape} do not fit"
            )
        self._tokens = tuple(tokens)
        self._vectors = vectors
        self._scales = scales
        self._pieces = WordPiece({token: number for number, token in enumerate(tokens)})
        digest = hashlib.sha256("\n".join(tokens).encode())
        digest.update(np.ascontiguousarray(vectors).tobytes())
        digest.update(np.ascontiguousarray(scales).tobytes())
        self._digest = digest.hexdigest()

    @property
    def name(self) -> str:
        """Its size and the beginning of its weights' digest."""
        return f"static-{self.dimensions}-{self._digest[:_DIGITS]}"

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self._vectors.shape[1])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of length 1; a text without a known token gives zeros."""
        encoded = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            encoded[row] = self._encode(text)
        return encoded

    def _encode(self, text: str) -> NDArray[np.float32]:
        if len(text) > LENGTH:
            text = f"{text[: LENGTH // 2]} {text[-LENGTH // 2 :]}"
        ids = self._pieces.ids(text)
        summed: NDArray[np.float32] = self._scales[ids] @ self._vectors[ids].astype(np.float32)
        length = float(np.sqrt(summed @ summed))
        return summed / length if length else summed

    def to_bytes(self) -> bytes:
        """Its weights as one file (numpy's npz, without pickle)."""
        file = io.BytesIO()
        tokens = np.frombuffer("\n".join(self._tokens).encode(), np.uint8)
        np.savez_compressed(file, tokens=tokens, vectors=self._vectors, scales=self._scales)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> StaticEncoder:
        """What `to_bytes` gave; raises ValueError for anything else."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                tokens = arrays["tokens"].tobytes().decode().split("\n")
                return cls(tokens, arrays["vectors"].astype(np.int8), arrays["scales"].astype(np.float32))
        except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
            raise ValueError(f"these are no weights of a static encoder: {error}") from error
