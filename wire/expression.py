"""Regular expressions that others wrote, over text that others wrote: searched in bounded time.

Backtracking can take time exponential in the text, and while it does nothing else in the process runs. Python's own
module cannot be stopped; `regex` can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import regex

LIMIT: Final = 0.05
"""Seconds that one search may take; usual ones take microseconds."""


class BadExpression(ValueError):
    """What was given is not a regular expression; says why."""


class OutOfTime(Exception):
    """A search was given up."""


def searcher(expression: str, *, flags: str = "") -> Callable[[str], bool]:
    """Whether a text holds a match anywhere; `flags` are some of i, m, s and x, as Python spells them.

    Raises BadExpression; the returned function raises OutOfTime."""
    try:
        search = regex.compile(f"(?{flags}){expression}" if flags else expression, cache_pattern=False).search
    except (regex.error, OverflowError, RecursionError) as error:
        raise BadExpression(str(error)) from None

    def found(text: str) -> bool:
        try:
            return search(text, timeout=LIMIT) is not None
        except TimeoutError:
            raise OutOfTime from None

    return found
