"""The static student: the teacher's view of every token of its vocabulary, so that texts need no transformer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conversion.candidate import Progress
from router.encoders.static import StaticEncoder
from serving.encoders.teacher import Teacher

DIMENSIONS: Final = 256
TOKENS: Final = 50_000
"""More than the vocabulary has."""

_BATCH: Final = 1024
_RARE: Final = 1e-4
"""Of smooth inverse frequency: tokens more frequent than this count for less."""
_BYTE: Final = 127

Floats = NDArray[np.float64]


def distil(
    teacher: Teacher, progress: Progress, dimensions: int = DIMENSIONS, most: int = TOKENS
) -> StaticEncoder:
    """Every token read by the teacher alone, its main directions kept, frequent tokens damped.

    The method of model2vec (van Dongen and Tulkens 2024): token embeddings without context, principal components, and
    weights by smooth inverse frequency (Arora et al., ICLR 2017), with frequencies by Zipf's law from the vocabulary's
    order. `most` is how many tokens are kept, the most frequent first. About 30,000 tokens of three positions each: a minute on two cores."""
    tokens = _tokens(teacher)[:most]
    seen = np.concatenate(list(_read(teacher, [number for _, number in tokens], progress)))
    components = _main_directions(seen, dimensions)
    frequencies = 1 / (np.arange(len(tokens)) + 2)
    frequencies /= frequencies.sum()
    weights = _RARE / (_RARE + frequencies)
    largest = np.abs(components).max(axis=1)
    vectors = np.round(components / largest[:, None] * _BYTE).astype(np.int8)
    scales = (weights * largest / _BYTE).astype(np.float32)
    return StaticEncoder([token for token, _ in tokens], vectors, scales)


def _tokens(teacher: Teacher) -> Sequence[tuple[str, int]]:
    """Tokens that stand for text, with their numbers, in the vocabulary's order."""
    vocabulary: dict[str, int] = teacher.model.tokenizer.get_vocab()
    ordered = sorted(vocabulary.items(), key=lambda each: each[1])
    return [(token, number) for token, number in ordered if not (token.startswith("[") and len(token) > 1)]


def _read(teacher: Teacher, numbers: Sequence[int], progress: Progress) -> Iterator[Floats]:
    """The teacher's vectors of single tokens: means over the token and the marks around it."""
    import torch  # noqa: PLC0415  (an extra, and heavy)

    tokenizer = teacher.model.tokenizer
    transformer: Any = teacher.model[0].auto_model
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    with torch.inference_mode():
        for start in range(0, len(numbers), _BATCH):
            batch = torch.tensor([[first, number, last] for number in numbers[start : start + _BATCH]])
            states = transformer(input_ids=batch, attention_mask=torch.ones_like(batch)).last_hidden_state
            yield states.mean(dim=1).double().numpy()
            progress(min(start + _BATCH, len(numbers)), len(numbers))


def _main_directions(vectors: Floats, dimensions: int) -> Floats:
    """The vectors on their principal components, the strongest first."""
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    found: Floats = centred @ directions[:, ::-1][:, :dimensions]
    return found
