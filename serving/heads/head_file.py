"""A head as files: what it says in JSON, what it knows in numpy arrays. Nothing in them can run."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from serving.heads.errors import HeadError

DESCRIPTION: Final = "head.json"
ARRAYS: Final = "head.npz"
FORMAT: Final = 1

Arrays = Mapping[str, NDArray[Any]]


class Spoken(msgspec.Struct, frozen=True):
    """One answer of the closed set."""

    text: str = ""
    tool: str = ""
    """Name of the tool that it calls without arguments, instead of speaking."""


class Description(msgspec.Struct, frozen=True):
    """What a head is."""

    format: int
    encoder: str
    """Name of the encoder it was trained on."""
    dimensions: int
    answers: tuple[Spoken, ...]
    created: int
    """Unix seconds."""
    unseen: tuple[float, ...] = ()
    """Confidences in answers to calls of kinds that it had never seen, as far as training could tell."""
    facts: dict[str, Any] = {}
    """What training found out, for reports."""


def description_bytes(description: Description) -> bytes:
    """The file DESCRIPTION."""
    return msgspec.json.format(msgspec.json.encode(description), indent=1)


def array_bytes(arrays: Arrays) -> bytes:
    """The file ARRAYS."""
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes `allow_pickle` for one of them
    return file.getvalue()


def read_description(read: Callable[[str], bytes]) -> Description:
    """What DESCRIPTION says; raises HeadError."""
    try:
        description = msgspec.json.decode(read(DESCRIPTION), type=Description)
    except msgspec.MsgspecError as error:
        raise HeadError(f"{DESCRIPTION!r} is damaged: {error}; train the head anew") from error
    if description.format != FORMAT:
        raise HeadError(f"{DESCRIPTION!r} has format {description.format!r}; this version reads {FORMAT!r}")
    return description


def read_arrays(read: Callable[[str], bytes]) -> dict[str, NDArray[Any]]:
    """What ARRAYS holds; raises HeadError."""
    try:
        with np.load(io.BytesIO(read(ARRAYS)), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, OSError, EOFError, AttributeError, KeyError, zipfile.BadZipFile) as error:
        raise HeadError(f"{ARRAYS!r} is damaged: {error}; train the head anew") from error
