"""The recogniser as bytes: msgpack with arrays of little-endian numbers; no code is ever read from them."""

from __future__ import annotations

from dataclasses import fields
from hashlib import sha256
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np

from router.encoder import Encoder
from router.minhash import SIZE
from router.near import Outline, Vocabulary
from router.subtasks import Subtasks
from router.trained import Learned, TrainedRecogniser

FILE_NAME: Final = "recogniser.bin"
"""Its name in an artifact of kind `router`."""

FORMAT: Final = 1
"""Raised whenever older code could misread the bytes."""

LARGEST: Final = 256 * 2**20
"""Bytes of the largest artifact that is read."""

_KEY: Final = 16
_MAGIC: Final = b"understudy-recogniser\n"


class RecogniserError(ValueError):
    """Bytes that are no recogniser, or one of another format; the message says which and what to do."""


class _Target(msgspec.Struct, frozen=True, array_like=True):
    tasks: tuple[str, ...]
    prototypes: bytes = b""
    """float32, tasks x dimensions; empty for a task of its own."""
    thresholds: bytes = b""
    """float32, one a task."""


class _Outline(msgspec.Struct, frozen=True, array_like=True):
    endpoint: str
    format: bytes
    opening: bytes
    generic: bool
    persona: bytes
    lines: int
    signature: bytes
    target: int
    after_tool: bool | None = None


class _Document(msgspec.Struct, frozen=True):
    format: int
    version: str
    encoder: str
    targets: tuple[_Target, ...]
    keys: bytes
    """16 bytes each."""
    key_targets: bytes
    """uint32, one a key."""
    outlines: tuple[_Outline, ...]
    boilerplate: bytes
    template: bytes
    """uint32, both."""


def encode(learned: Learned) -> bytes:
    """The bytes of what was learned: the same for the same."""
    keys = sorted(learned.keys.items())
    document = _Document(
        format=FORMAT,
        version=learned.version,
        encoder=learned.encoder,
        targets=tuple(_target(target) for target in learned.targets),
        keys=b"".join(key for key, _ in keys),
        key_targets=_numbers([target for _, target in keys]),
        outlines=tuple(_row(outline, target) for outline, target in learned.outlines),
        boilerplate=_numbers(sorted(learned.vocabulary.boilerplate)),
        template=_numbers(sorted(learned.vocabulary.template)),
    )
    packed = msgspec.msgpack.encode(document)
    return _MAGIC + sha256(packed).digest() + packed


def decode(data: bytes, encoder: Encoder | None = None) -> TrainedRecogniser:
    """The recogniser in these bytes; raises RecogniserError where they hold none.

    `encoder` is for telling sub-tasks apart; see `TrainedRecogniser`."""
    return TrainedRecogniser(learned_of(data), encoder)


def learned_of(data: bytes) -> Learned:
    """What was learned, from its bytes; raises RecogniserError."""
    if len(data) > LARGEST:
        raise RecogniserError(f"a recogniser of {len(data)} bytes is refused; the largest read has {LARGEST}")
    if not data.startswith(_MAGIC):
        raise RecogniserError("these bytes are no recogniser; train it again with `understudy convert`")
    body = data[len(_MAGIC) :]
    checksum, packed = body[:32], body[32:]
    if sha256(packed).digest() != checksum:
        raise RecogniserError("the recogniser's bytes are corrupt; train it again with `understudy convert`")
    _check_format(packed)
    try:
        return _learned(msgspec.msgpack.decode(packed, type=_Document))
    except (msgspec.DecodeError, ValueError) as error:
        raise RecogniserError(f"the recogniser's bytes do not fit together: {error}") from None


class _Head(msgspec.Struct):
    format: int


def _check_format(packed: bytes) -> None:
    try:
        found = msgspec.msgpack.decode(packed, type=_Head).format
    except msgspec.DecodeError as error:
        raise RecogniserError(f"the recogniser's bytes do not fit together: {error}") from None
    if found != FORMAT:
        raise RecogniserError(
            f"the recogniser has format {found!r}, this version reads {FORMAT}; train it again with `understudy convert`"
        )


def _learned(document: _Document) -> Learned:
    targets = tuple(_target_of(row) for row in document.targets)
    if len(document.keys) % _KEY:
        raise ValueError(f"its keys have {len(document.keys)} bytes, no multiple of {_KEY}")
    keys = [document.keys[start:stop] for start, stop in pairwise(range(0, len(document.keys) + 1, _KEY))]
    key_targets = np.frombuffer(document.key_targets, "<u4").tolist()
    used = [*key_targets, *(row.target for row in document.outlines)]
    if not all(0 <= index < len(targets) for index in used):
        raise ValueError(f"a key or outline points past its {len(targets)} targets")
    return Learned(
        targets=targets,
        keys=dict(zip(keys, key_targets, strict=True)),
        outlines=tuple((_outline_of(row), row.target) for row in document.outlines),
        vocabulary=Vocabulary(_lines(document.boilerplate), _lines(document.template)),
        encoder=document.encoder,
        version=document.version,
    )


def _target(target: str | Subtasks) -> _Target:
    if isinstance(target, str):
        return _Target((target,))
    return _Target(
        target.tasks, target.prototypes.astype("<f4").tobytes(), target.thresholds.astype("<f4").tobytes()
    )


def _target_of(row: _Target) -> str | Subtasks:
    if not row.tasks:
        raise ValueError("a target has no task")
    if not row.prototypes:
        return row.tasks[0]
    prototypes = np.frombuffer(row.prototypes, "<f4").reshape(len(row.tasks), -1)
    thresholds = np.frombuffer(row.thresholds, "<f4")
    if len(thresholds) != len(row.tasks) or not np.isfinite(prototypes).all():
        raise ValueError("the numbers of a broad prompt's sub-tasks are damaged")
    return Subtasks(row.tasks, prototypes, thresholds)


def _row(outline: Outline, target: int) -> _Outline:
    return _Outline(**{each.name: getattr(outline, each.name) for each in fields(outline)}, target=target)


def _outline_of(row: _Outline) -> Outline:
    if len(row.signature) != 4 * SIZE:
        raise ValueError(f"a signature has {len(row.signature)} bytes instead of {4 * SIZE}")
    if row.lines < 0 or len(row.persona) > 8:
        raise ValueError(f"an outline of {row.lines} lines is damaged")
    return Outline(*(getattr(row, each.name) for each in fields(Outline)))


def _lines(packed: bytes) -> frozenset[int]:
    return frozenset(np.frombuffer(packed, "<u4").tolist())


def _numbers(values: list[int]) -> bytes:
    return np.array(values, "<u4").tobytes()
