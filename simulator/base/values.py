"""Made-up names, addresses, numbers and goods: what has to be copied, since nobody can know it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any, Final

from simulator.desk import wording

_ONSETS: Final = (
    "b", "br", "c", "ch", "d", "f", "g", "h", "j", "k", "kl", "l", "m", "n", "p", "qu", "r", "s", "st", "t", "v", "w", "x", "y",
    "z",
)  # fmt: skip
_VOWELS: Final = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "ea", "é", "ö", "ü", "ó", "á")
_CODAS: Final = ("", "", "l", "n", "r", "s", "th", "ck", "nd")
_HOSTS: Final = ("example.com", "example.org", "mail.example.net")
_ENDINGS: Final = ("com", "net", "org", "de", "fr", "io", "co.uk", "example")
_KNOWN: Final = 0.25
"""Share of names that are the tickets' own."""
_PLAIN: Final = str.maketrans("éöüóá", "eouoa")


def word(rng: random.Random) -> str:
    """A word of no language, in small letters."""
    syllables = (
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS)
        for _ in range(rng.choice((1, 2, 2, 3)))
    )
    return "".join(syllables)


def name(rng: random.Random) -> str:
    """First and last name."""
    if rng.random() < _KNOWN:
        return f"{rng.choice(wording.FIRST_NAMES)} {rng.choice(wording.LAST_NAMES)}"
    return f"{word(rng).capitalize()} {word(rng).capitalize()}"


def email(rng: random.Random) -> str:
    """An address that has nothing to do with any name near it."""
    parts = [_plain(word(rng)) if rng.random() < 0.7 else _letters(rng)]
    if rng.random() < 0.6:
        parts.append(rng.choice((".", ".", ".", "_", "-", "")) + _plain(word(rng)))
    if rng.random() < 0.5:
        parts.append(str(rng.randrange(rng.choice((10, 100, 2100)))))
    return f"{''.join(parts)}@{_host(rng)}"


def order(rng: random.Random) -> str:
    """Digits of an order's number."""
    return str(rng.randrange(10_000, 999_999))


def goods(rng: random.Random) -> str:
    """What a shop sells."""
    return rng.choice(wording.COLOURS) + rng.choice(wording.PRODUCTS)


def as_json(fields: Mapping[str, Any]) -> str:
    """Fields and their values, without blanks."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _host(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return rng.choice(_HOSTS)
    return f"{_plain(word(rng))}.{rng.choice(_ENDINGS)}"


def _letters(rng: random.Random) -> str:
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 6)))


def _plain(text: str) -> str:
    return text.translate(_PLAIN)
