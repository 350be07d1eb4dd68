"""Bad numbers are refused by name before any statistic is made of them."""

from __future__ import annotations

from collections.abc import Mapping


def check_open_share(name: str, value: float) -> None:
    """Raise ValueError unless the value lies strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value!r}; it must lie between 0 and 1, both excluded")


def check_counts(part: int, whole: int) -> None:
    """Raise ValueError unless 0 <= part <= whole."""
    if not 0 <= part <= whole:
        raise ValueError(f"{part!r} of {whole!r} is no count of a part")


def number(data: Mapping[str, object], name: str) -> float:
    """A number of a stored state; raises ValueError when it is absent or no number."""
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} of a stored state is {value!r}; it must be a number")
    return value


def count(data: Mapping[str, object], name: str) -> int:
    """A count of a stored state; raises ValueError when it is absent, broken or negative."""
    value = number(data, name)
    if value != int(value) or value < 0:
        raise ValueError(f"{name} of a stored state is {value!r}; it must be a whole number from 0 up")
    return int(value)
