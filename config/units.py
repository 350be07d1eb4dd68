"""Quantities as people write them: `2s`, `25%`, `8MiB`. Values are plain numbers: seconds, shares of one, bytes."""

from __future__ import annotations

import math
import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
BYTES: Final = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}

DURATION_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d|w)?$"
SHARE_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?%?$"
SIZE_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?(B|KB|MB|GB|KiB|MiB|GiB)?$"


def seconds(value: object) -> float:
    """A duration in seconds from `2s`, `500ms`, `30d` or a number of seconds."""
    return _quantity(value, SECONDS, "is not a duration", "write it like 2s, 500ms, 10m, 12h or 30d")


def share(value: object) -> float:
    """A share between 0 and 1 from `25%` or 0.25."""
    remedy = "write it like 25% or 0.25"
    number = _quantity(value, {"%": 0.01}, "is not a share", remedy)
    if number > 1:
        raise wrong("is more than 100%", remedy)
    return number


def size(value: object) -> int:
    """A number of bytes from `8MiB`, `500KB` or a number."""
    return round(_quantity(value, BYTES, "is not a size", "write it like 8MiB, 512KiB or a number of bytes"))


def wrong(message: str, remedy: str = "") -> PydanticCustomError:
    """The error every validator of the configuration raises: what is wrong with the value, and what would be right."""
    return PydanticCustomError("configuration", "{message}", {"message": message, "remedy": remedy})


def _quantity(value: object, units: dict[str, float] | dict[str, int], message: str, remedy: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong(message, remedy)
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)\s*([A-Za-z%]*)\s*", str(value))
    if found is None or (found[2] and found[2] not in units):
        raise wrong(message, remedy)
    number = float(found[1]) * (units[found[2]] if found[2] else 1)
    if not math.isfinite(number):
        raise wrong(message, remedy)
    return round(number, 12)  # so that 95% and 0.95 are the same number


def _schema(pattern: str, maximum: float | None = None) -> WithJsonSchema:
    number: dict[str, object] = {"type": "number", "minimum": 0}
    if maximum is not None:
        number["maximum"] = maximum
    return WithJsonSchema({"anyOf": [number, {"type": "string", "pattern": pattern}]})


Duration = Annotated[float, BeforeValidator(seconds), _schema(DURATION_PATTERN)]
"""Seconds, zero allowed."""

Timeout = Annotated[float, Field(gt=0), BeforeValidator(seconds), _schema(DURATION_PATTERN)]
"""Seconds, more than zero."""

Share = Annotated[float, BeforeValidator(share), _schema(SHARE_PATTERN, 1)]
"""A share of one."""

Size = Annotated[int, BeforeValidator(size), _schema(SIZE_PATTERN)]
"""Bytes."""
