"""Forms: lines with names and values, to be told again as JSON. Nothing but finding and copying, and much of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from simulator.base import phrases, values

_LINES: Final = (
    "{key}: {value}",
    "{key} = {value}",
    "The {key} is {value}.",
    "My {key}: {value}.",
    "[{key}] {value};",
)
_PROMPTS: Final = ("Tell the form again as JSON: {}.", "JSON with {}, null for what is missing.", "Keys: {}.")
_KINDS: Final[Mapping[str, Callable[[random.Random], Any]]] = {
    "name": values.name,
    "mail": values.email,
    "order": lambda rng: rng.choice(("", "#", "NO-", "REF-", "ORD-")) + values.order(rng),
    "item": values.goods,
    "count": lambda rng: rng.randint(1, 99),
}


def form(rng: random.Random) -> tuple[str, str, str]:
    """Instructions, the form, and the JSON that is asked for: its keys in another order, some without a value."""
    entries = _entries(rng)
    lines = [rng.choice(_LINES).format(key=key, value=value) for key, value in entries.items()]
    asked = rng.sample(list(entries), rng.randint(min(2, len(entries)), len(entries)))
    filled = {key: entries[key] for key in asked}
    if rng.random() < 0.6:
        missing = rng.choice(list(phrases.FIELD_NAMES))
        if not set(phrases.FIELD_NAMES[missing]) & set(entries):
            filled[rng.choice(phrases.FIELD_NAMES[missing])] = None
    prompt = rng.choice(_PROMPTS).format(", ".join(filled))
    between = rng.choice(("\n", "\n", " "))
    return prompt, between.join(lines), values.as_json(filled)


def _entries(rng: random.Random) -> dict[str, Any]:
    kinds = rng.sample(list(_KINDS), rng.randint(2, len(_KINDS)))
    return {rng.choice(phrases.FIELD_NAMES[kind]): _KINDS[kind](rng) for kind in kinds}
