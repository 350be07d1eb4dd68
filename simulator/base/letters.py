"""Letters to a shop: the simulator's tickets of other seeds, from people who do not exist even there."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from simulator.base import values
from simulator.tickets import Ticket, ticket

_SEED: Final = 971_203
"""Far from the seeds of demos and benchmarks."""
_ADDED: Final = 0.6
"""Share of the letters without an address, or a name, that get one."""
_ADDRESSES: Final = (
    "{} is where I read my mail.",
    "Answers go to {}, please.",
    "I wrote from {} before.",
    "(mail: {})",
    "Use {}",
    "Contact {} about it.",
)
_NAMES: Final = ("Signed, {}", "It's {} writing.", "{} here.", "- {}", "Yours,\n{}")


def letter(rng: random.Random) -> Ticket:
    """A letter and what is true of it. Names and addresses are others than the ticket's, in most of them, and stand in more
    letters and in more places."""
    found = ticket(rng.randrange(10**9), seed=_SEED)
    if found.customer_name:
        found = _said(found, "customer_name", found.customer_name, values.name(rng))
    elif rng.random() < _ADDED:
        found = _added(found, "customer_name", values.name(rng), rng.choice(_NAMES), rng)
    if found.email and rng.random() < 0.8:
        found = _said(found, "email", found.email, values.email(rng))
    elif not found.email and rng.random() < _ADDED:
        found = _added(found, "email", values.email(rng), rng.choice(_ADDRESSES), rng)
    return found


def _said(found: Ticket, field: str, before: str, after: str) -> Ticket:
    return replace(found, text=found.text.replace(before, after), **{field: after})  # type: ignore[arg-type]


def _added(found: Ticket, field: str, value: str, phrase: str, rng: random.Random) -> Ticket:
    said = phrase.format(value)
    between = rng.choice((" ", "\n"))
    text = f"{found.text}{between}{said}" if rng.random() < 0.6 else f"{said}{between}{found.text}"
    return replace(found, text=text, **{field: value})  # type: ignore[arg-type]
