"""Letters to a shop: the simulator's tickets of other seeds, from people who do not exist even there."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from simulator.desk import wording
from simulator.tickets import Ticket, ticket

_SEED: Final = 971_203
"""Far from the seeds of demos and benchmarks."""
_ONSETS: Final = (
    "b",
    "br",
    "ch",
    "d",
    "f",
    "g",
    "h",
    "j",
    "k",
    "kl",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "st",
    "t",
    "v",
    "w",
    "z",
)
_VOWELS: Final = ("a", "e", "i", "o", "u", "ai", "ea", "é", "ö", "ü", "ó", "á")
_CODAS: Final = ("", "", "l", "n", "r", "s", "th", "ck", "nd")
_HOSTS: Final = ("example.com", "example.org", "mail.example.net", "post.example", "web.example.org")


def letter(rng: random.Random, longest: int) -> Ticket:
    """A letter of at most `longest` characters, and what is true of it; half of them are from people with made-up names
    and addresses."""
    found = ticket(rng.randrange(10**9), seed=_SEED)
    while len(found.text) > longest:
        found = ticket(rng.randrange(10**9), seed=_SEED)
    if rng.random() < 0.5:
        return found
    if found.customer_name:
        found = _said(found, "customer_name", found.customer_name, f"{_name(rng)} {_name(rng)}")
    if found.email:
        found = _said(found, "email", found.email, _email(rng))
    return found


def things(rng: random.Random) -> Sequence[str]:
    """What letters have to be copied from: a name, an address, a number, goods."""
    goods = f"{rng.randint(2, 12)} x {rng.choice(wording.COLOURS)}{rng.choice(wording.PRODUCTS)}"
    return f"{_name(rng)} {_name(rng)}", _email(rng), f"#{rng.randrange(10_000, 999_999)}", goods


def _said(found: Ticket, field: str, before: str, after: str) -> Ticket:
    return replace(found, text=found.text.replace(before, after), **{field: after})  # type: ignore[arg-type]


def _name(rng: random.Random) -> str:
    return _word(rng).capitalize()


def _word(rng: random.Random) -> str:
    syllables = (
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS)
        for _ in range(rng.choice((1, 2, 2, 3)))
    )
    return "".join(syllables)


def _email(rng: random.Random) -> str:
    plain = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 6)))
    parts = (
        plain,
        rng.choice(("", ".", "_")),
        rng.choice(("anna", "tom", "shop", "info", "kit")),
        str(rng.randrange(100)),
    )
    return "".join(parts) + "@" + rng.choice(_HOSTS)
