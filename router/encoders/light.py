"""The encoder of a name, of those that need numpy alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from router.encoder import Encoder
from router.encoders.hashed_ngrams import HashedNgrams
from router.encoders.static import StaticEncoder

WEIGHTS: Final = "encoder.npz"
"""The file of an artifact in which a static encoder's weights lie."""

_HASHED: Final = re.compile(r"hashed-ngrams-(\d{1,6})")


def light_encoder(name: str, read: Callable[[str], bytes]) -> Encoder | None:
    """The encoder that something was trained on; None when it is not one of the light ones.

    `read` gives a file of the artifact that names it. Raises ValueError when the weights in it are another's."""
    if hashed := _HASHED.fullmatch(name):
        return HashedNgrams(int(hashed[1]))
    if not name.startswith("static-"):
        return None
    encoder = StaticEncoder.from_bytes(read(WEIGHTS))
    if encoder.name != name:
        raise ValueError(f"{WEIGHTS!r} holds the encoder {encoder.name!r}; {name!r} is needed")
    return encoder
