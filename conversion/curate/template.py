"""What two calls have in common when one program wrote their prompts: a digest of everything but the values."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

import orjson

from conversion.example import Example
from wire import shape

_VARIABLE: Final = re.compile(r"[\w.+-]+@[\w.-]+|https?://\S+|\w*\d[\w.:/-]*|\"[^\"\n]*\"|⟪[^⟫]*⟫")


def template(example: Example) -> bytes:
    """Instructions with numbers, addresses and quotations masked, tools, and the form of answer asked for."""
    digest = blake2b(digest_size=16)
    request = example.request
    for part in (
        example.endpoint,
        _VARIABLE.sub("§", shape.system_text(example.endpoint, request)),
        *sorted(shape.tool_names(example.endpoint, request)),
        shape.last_role(example.endpoint, request),
    ):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    digest.update(orjson.dumps(shape.response_format(example.endpoint, request), option=orjson.OPT_SORT_KEYS))
    return digest.digest()
